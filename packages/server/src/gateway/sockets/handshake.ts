import { request, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import type { RequestId } from '../../domain/ids.ts'
import type { HeaderPairs } from '../../domain/request.ts'
import type { Address } from '../../domain/runner.ts'

/** A request to leave HTTP: its connection, and what came on it behind the headers. */
export interface Upgrade {
  readonly req: IncomingMessage
  readonly socket: Duplex
  readonly head: Buffer
  readonly requestId: RequestId
}

/** What a runner made of a WebSocket handshake. */
export type Reply =
  | { readonly kind: 'accepted'; readonly answer: IncomingMessage; readonly runner: Duplex; readonly early: Buffer }
  | { readonly kind: 'refused'; readonly answer: IncomingMessage }
  | { readonly kind: 'failed'; readonly trouble: 'refused' | 'connection_error' }

interface Offer {
  readonly method: string
  readonly path: string
  /** Without those that speak of the connection. */
  readonly headers: HeaderPairs
}

/** Offers a WebSocket to a runner, over a connection of its own. Never rejects. */
export function offerUpgrade(
  { host, port }: Address,
  { method, path, headers }: Offer,
  signal: AbortSignal,
): Promise<Reply> {
  const all: HeaderPairs = [
    ...headers,
    ['host', `${host}:${port}`],
    ['connection', 'Upgrade'],
    ['upgrade', 'websocket'],
  ]
  return new Promise((resolve) => {
    const outgoing = request({
      method,
      path,
      headers: all.flat(),
      setHost: false,
      createConnection: () => connect({ host, port, allowHalfOpen: true }),
      signal,
    })
    outgoing.on('upgrade', (answer, runner, early) => resolve({ kind: 'accepted', answer, runner, early }))
    outgoing.on('response', (answer) => resolve({ kind: 'refused', answer }))
    outgoing.on('error', (error) => resolve({ kind: 'failed', trouble: troubleIn(error) }))
    outgoing.end()
  })
}

function troubleIn(error: Error): 'refused' | 'connection_error' {
  return 'code' in error && error.code === 'ECONNREFUSED' ? 'refused' : 'connection_error'
}
