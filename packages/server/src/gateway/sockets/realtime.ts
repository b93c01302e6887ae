import type { RawData, WebSocket } from 'ws'
import { CarrickError } from '../../domain/errors.ts'
import { closeSoon } from './accept-socket.ts'
import { RealtimeInputs } from './realtime-inputs.ts'

/** Both ends of a realtime connection. */
export interface Ends {
  readonly client: WebSocket
  readonly app: WebSocket
}

interface Reading {
  readonly buffering: number | undefined
  /** To msgpack. */
  readonly encode: (value: unknown) => Uint8Array
}

/** More than this waits for no slow reader: then the app has to. */
const mostUnsentBytes = 1024 * 1024

const closing = { normal: 1000, abnormal: 1006, none: 1005, policy: 1008, tooBig: 1009, failed: 1011 } as const

/**
 * Joins a caller and an app that speaks msgpack until both are closed. Binary messages pass as they are; JSON texts of
 * the caller become msgpack, because apps of the SDK read nothing else. Pings, pongs and closes pass too.
 */
export async function joinRealtime({ client, app }: Ends, { buffering, encode }: Reading): Promise<void> {
  const closed = Promise.all([client, app].map(closeOf))
  const inputs = new RealtimeInputs(client, app, buffering)
  client.on('message', (data, isBinary) => {
    if (isBinary) return inputs.take(bytesOf(data))
    const packed = packedFrom(String(bytesOf(data)), encode)
    if (packed === undefined) tell(client, 'INVALID_MESSAGE', 'a text message must be JSON that msgpack can hold')
    else inputs.take(packed)
  })
  app.on('message', (data, isBinary) => {
    client.send(data, { binary: isBinary }, () => {
      if (app.isPaused && client.bufferedAmount < mostUnsentBytes / 2) app.resume()
    })
    if (client.bufferedAmount > mostUnsentBytes) app.pause()
  })
  passPings(client, app)
  passPings(app, client)
  client.on('close', (code, reason) => closeLike(app, code, reason))
  app.on('error', (error) => isTooBig(error) && giveUp({ client, app }, messageTooBig))
  app.on('close', (code, reason) => {
    if (code === closing.abnormal) tell(client, 'RUNNER_DISCONNECTED', 'the connection to the app broke; reconnect')
    closeLike(client, code === closing.abnormal ? closing.failed : code, reason)
  })
  for (const end of [client, app]) end.resume()
  await closed
}

/** Why a connection ends before either of its ends wanted to. */
interface Ending {
  readonly error: string
  readonly reason: string
  readonly code: number
}

const messageTooBig: Ending = {
  error: 'MESSAGE_TOO_BIG',
  reason: 'the app sent a larger message than this server passes on',
  code: closing.tooBig,
}
export const timedOut: Ending = {
  error: 'REQUEST_TIMEOUT',
  reason: 'the connection has lasted for the request_timeout of the app; reconnect',
  code: closing.failed,
}
export const revoked: Ending = {
  error: 'UNAUTHORIZED',
  reason: 'the key of this connection was revoked; reconnect with another one',
  code: closing.policy,
}
/** In the words of the SDK: the JavaScript client takes them for a rest, and reconnects when it has something to send. */
export const idle: Ending = {
  error: 'TIMEOUT',
  reason: 'nothing was sent for a long time; reconnect when needed',
  code: closing.normal,
}

/** Ends a connection, and says why. */
export function giveUp({ client, app }: Ends, { error, reason, code }: Ending): void {
  tell(client, error, reason)
  closeSoon(client, code)
  closeSoon(app, closing.normal)
}

/** How many unsent inputs a caller wants kept. Throws `bad_request` for what is no such number. */
export function bufferingIn(path: string): number | undefined {
  const text = new URLSearchParams(path.split('?')[1] ?? '').get('max_buffering')
  if (text === null) return undefined
  if (/^\d{1,2}$/.test(text) && Number(text) >= 1 && Number(text) <= 60) return Number(text)
  throw new CarrickError('bad_request', 'max_buffering must be a whole number from 1 to 60')
}

function packedFrom(text: string, encode: (value: unknown) => Uint8Array): Uint8Array | undefined {
  try {
    return encode(JSON.parse(text))
  } catch {
    return undefined
  }
}

function passPings(from: WebSocket, to: WebSocket): void {
  const whileOpen = (send: () => void) => to.readyState === to.OPEN && send()
  from.on('ping', (data) => whileOpen(() => to.ping(data)))
  from.on('pong', (data) => whileOpen(() => to.pong(data)))
}

function closeLike(socket: WebSocket, code: number, reason: Buffer): void {
  if (code === closing.abnormal) socket.terminate()
  else if (code === closing.none) closeSoon(socket)
  else closeSoon(socket, code, reason)
}

function tell(client: WebSocket, error: string, reason: string): void {
  if (client.readyState === client.OPEN) client.send(JSON.stringify({ type: 'x-fal-error', error, reason }))
}

const isTooBig = (error: Error): boolean => 'code' in error && error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'

function bytesOf(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data)
  return data instanceof ArrayBuffer ? Buffer.from(data) : data
}

const closeOf = (socket: WebSocket): Promise<void> =>
  new Promise((resolve) => {
    if (socket.readyState === socket.CLOSED) resolve()
    else socket.once('close', () => resolve())
  })
