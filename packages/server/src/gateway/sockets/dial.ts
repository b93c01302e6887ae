import type { IncomingMessage } from 'node:http'
import type { WebSocket } from 'ws'
import { CarrickError } from '../../domain/errors.ts'
import type { HeaderPairs } from '../../domain/request.ts'
import type { Address } from '../../domain/runner.ts'

/** What a runner made of a WebSocket that this server speaks itself. */
export type Dialled =
  | { readonly kind: 'open'; readonly app: WebSocket; readonly answer: IncomingMessage }
  | { readonly kind: 'refused'; readonly answer: IncomingMessage }
  | { readonly kind: 'failed'; readonly trouble: 'refused' | 'connection_error' }

interface Dial {
  readonly path: string
  /** As the caller sent them, without those that speak of the connection. */
  readonly headers: HeaderPairs
  readonly messageBytes: number
}

/** Opens a WebSocket to a runner. What comes first waits until the caller `resume`s it. Rejects for a subprotocol that is none. */
export async function dial(
  { host, port }: Address,
  { path, headers, messageBytes }: Dial,
  signal: AbortSignal,
): Promise<Dialled> {
  const { WebSocket: Client } = await import('ws')
  const app = opened(() => {
    return new Client(`ws://${host.includes(':') ? `[${host}]` : host}:${port}/`, protocolsIn(headers), {
      perMessageDeflate: false,
      autoPong: false,
      maxPayload: messageBytes,
      finishRequest: (request) => {
        request.path = path // a URL would change some of its characters
        for (const [name, values] of grouped(headers)) request.setHeader(name, values)
        request.end()
      },
    })
  })
  const leave = () => app.terminate()
  signal.addEventListener('abort', leave, { once: true })
  if (signal.aborted) leave()
  return await new Promise<Dialled>((resolve) => {
    app.once('upgrade', (answer) => {
      app.once('open', () => (app.pause(), resolve({ kind: 'open', app, answer })))
    })
    app.once('unexpected-response', (_request, answer) => resolve({ kind: 'refused', answer }))
    app.on('error', (error) => resolve({ kind: 'failed', trouble: troubleIn(error) }))
  }).finally(() => signal.removeEventListener('abort', leave))
}

function opened(make: () => WebSocket): WebSocket {
  try {
    return make()
  } catch (cause) {
    if (cause instanceof SyntaxError) throw new CarrickError('bad_request', cause.message, { cause })
    throw cause
  }
}

const prefix = 'sec-websocket-'

function protocolsIn(headers: HeaderPairs): string[] {
  const named = headers.filter(([name]) => name === `${prefix}protocol`)
  return named.flatMap(([, value]) => value.split(',').map((each) => each.trim()))
}

function grouped(headers: HeaderPairs): Map<string, string[]> {
  const byName = new Map<string, string[]>()
  for (const [name, value] of headers) {
    if (!name.startsWith(prefix)) byName.set(name, [...(byName.get(name) ?? []), value])
  }
  return byName
}

function troubleIn(error: Error): 'refused' | 'connection_error' {
  return 'code' in error && error.code === 'ECONNREFUSED' ? 'refused' : 'connection_error'
}
