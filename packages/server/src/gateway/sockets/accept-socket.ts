import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { CarrickError } from '../../domain/errors.ts'
import type { HeaderPairs } from '../../domain/request.ts'
import { disconnected } from '../body.ts'
import type { Upgrade } from './handshake.ts'

interface Acceptance {
  /** Of one message; the connection is closed with 1009 for more. */
  readonly messageBytes: number
  /** What the answer to the handshake says besides. */
  readonly headers: HeaderPairs
  /** The subprotocol that was agreed on. */
  readonly protocol?: string
  /** Whether pings are answered here, and not by whoever is behind. */
  readonly answersPings: boolean
}

/** How long the other end may take to answer that it is closed. */
const closingMs = 5_000

/**
 * Answers a handshake and speaks WebSocket itself from then on. What comes waits until it is resumed. Rejects with
 * `bad_request` where the handshake is none, and when the caller has left.
 */
export async function acceptSocket(
  { req, socket, head }: Upgrade,
  { messageBytes, headers, protocol, answersPings }: Acceptance,
): Promise<WebSocket> {
  const { WebSocketServer } = await import('ws')
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: messageBytes,
    autoPong: answersPings,
    handleProtocols: () => protocol ?? false,
  })
  server.on('headers', (lines) => void lines.push(...headers.map(([name, value]) => `${name}: ${value}`)))
  return await new Promise((resolve, reject) => {
    if (!socket.readable || !socket.writable) return reject(disconnected())
    server.on('wsClientError', ({ message }) => reject(new CarrickError('bad_request', message)))
    server.handleUpgrade(req, socket, head, (accepted) => {
      accepted.on('error', () => {}) // followed by `close`
      accepted.pause()
      resolve(accepted)
    })
  })
}

/** Closes, and does not wait for ever to hear that the other end has. */
export function closeSoon(socket: WebSocket, code?: number, reason?: string | Buffer): void {
  if (socket.readyState === socket.CLOSED) return
  if (socket.isPaused) socket.resume() // its answer would not be read
  socket.close(code, reason)
  const cut = setTimeout(() => socket.terminate(), closingMs)
  socket.once('close', () => clearTimeout(cut))
}

/** Calls back when nothing has come or gone for so long. */
export function whenIdle(socket: Duplex, idleMs: number, callback: () => void): void {
  if (socket instanceof Socket) socket.setTimeout(idleMs, callback)
}
