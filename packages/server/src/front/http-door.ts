import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Door } from './door.ts'
import { refuse } from './refusal.ts'

export interface HttpLimits {
  /** How long a request's headers may take. */
  readonly headersMs: number
  /** How long a whole request may take to arrive; 0 for as long as it likes. Calls stream for an hour. */
  readonly requestMs: number
  /** How long a client may neither send what it owes nor read what waits for it. */
  readonly stallMs: number
  /** How long an idle connection is kept for the next request. */
  readonly keepAliveMs: number
  readonly headerBytes: number
}

export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

const defaults: HttpLimits = {
  headersMs: 30_000,
  requestMs: 0,
  stallMs: 300_000,
  keepAliveMs: 75_000,
  headerBytes: 32 * 1024,
}

/** HTTP/1.1, and the WebSocket upgrades in it. */
export function createHttpDoor(
  handler: RequestListener,
  upgrade: UpgradeListener,
  options: Partial<HttpLimits> = {},
): Door {
  const limits = { ...defaults, ...options }
  const exchanges = new WeakMap<Duplex, Exchange>()
  let draining = false

  const server = createServer({
    headersTimeout: limits.headersMs,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.keepAliveMs,
    maxHeaderSize: limits.headerBytes,
    connectionsCheckingInterval: Math.ceil(Math.min(limits.headersMs, 30_000) / 4),
    insecureHTTPParser: false,
    // Anything else asked for by `Upgrade`, such as h2c, is an offer that a server may ignore.
    shouldUpgradeCallback: ({ headers }) => headers.upgrade?.toLowerCase() === 'websocket',
  })
  server.timeout = limits.stallMs
  server.on('timeout', (socket) =>
    isWaitingForUs(exchanges.get(socket)) ? socket.setTimeout(limits.stallMs) : socket.destroy(),
  )
  server.on('clientError', (error, socket) =>
    refuse(socket, error, exchanges.get(socket)?.response.headersSent ?? false),
  )
  server.on('upgrade', (request, socket, head) => ((socket as Socket).setTimeout(0), upgrade(request, socket, head)))
  server.on('request', (request, response) => {
    const { socket } = request
    exchanges.set(socket, { request, response })
    if (draining) response.setHeader('connection', 'close')
    response.once('close', () => {
      if (exchanges.get(socket)?.response === response) exchanges.delete(socket)
      if (draining) setImmediate(() => server.closeIdleConnections())
    })
    handler(request, response)
  })
  // The server is given its connections and never listens; this starts its watch over slow headers.
  server.emit('listening')

  return {
    connect: (socket) => server.emit('connection', socket),
    drain: () => ((draining = true), server.closeIdleConnections()),
  }
}

interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/** Whether an exchange that stands still does so because of us: a call may take an hour to answer. */
function isWaitingForUs(exchange: Exchange | undefined): boolean {
  if (exchange === undefined) return false
  const { request, response } = exchange
  const owesBody = !request.complete && request.readableLength < request.readableHighWaterMark
  return !owesBody && response.writableLength === 0 && request.socket.writableLength === 0
}
