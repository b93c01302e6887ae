import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Rejection } from '../kit/rejections.ts'
import type { Door } from './door.ts'
import { flawIn } from './flaws.ts'
import { watchPace, type Exchange } from './pace.ts'
import { refuse, refuseRequest } from './refusal.ts'

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
  readonly headerCount: number
  /** Requests that may be under way on one connection: more than one where the client does not wait for answers. */
  readonly pipelined: number
  /** How often the pace of bodies is looked at; the second look in a row at one below `bodyBytesPerSecond` ends it. */
  readonly paceMs: number
  readonly bodyBytesPerSecond: number
}

export interface HttpDoorOptions extends HttpLimits {
  /** Whether this request's body may come as slowly as it likes, because something else bounds it. */
  readonly mayBeSlow: (request: IncomingMessage) => boolean
  readonly onRejected: (reason: Rejection) => void
}

export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

const defaults: HttpDoorOptions = {
  headersMs: 30_000,
  requestMs: 0,
  stallMs: 300_000,
  keepAliveMs: 75_000,
  headerBytes: 32 * 1024,
  headerCount: 200,
  pipelined: 32,
  paceMs: 15_000,
  bodyBytesPerSecond: 1_024,
  mayBeSlow: () => false,
  onRejected: () => {},
}

/** HTTP/1.1, and the WebSocket upgrades in it. What is not well-formed or keeps to no limit is refused, and counted. */
export function createHttpDoor(
  handler: RequestListener,
  upgrade: UpgradeListener,
  options: Partial<HttpDoorOptions> = {},
): Door {
  const limits = { ...defaults, ...options }
  const { onRejected } = limits
  const exchanges = new Map<Duplex, Exchange>()
  let draining = false

  const server = createServer({
    headersTimeout: limits.headersMs,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.keepAliveMs,
    maxHeaderSize: limits.headerBytes,
    connectionsCheckingInterval: Math.ceil(Math.min(limits.headersMs, 30_000) / 4),
    insecureHTTPParser: false,
    requireHostHeader: false, // we look for ourselves, and count
    // Anything else asked for by `Upgrade`, such as h2c, is an offer that a server may ignore.
    shouldUpgradeCallback: ({ headers }) => headers.upgrade?.toLowerCase() === 'websocket',
  })
  server.maxHeadersCount = limits.headerCount + 1 // what is beyond would vanish without a word
  server.timeout = limits.stallMs
  server.on('timeout', (socket) => {
    const exchange = exchanges.get(socket)
    if (isWaitingForUs(exchange)) socket.setTimeout(limits.stallMs)
    else {
      if (exchange?.request.complete === false) onRejected('stalled')
      socket.destroy()
    }
  })
  // Answers that stand behind others in a pipeline do not close by themselves.
  server.on('connection', (socket) => socket.once('close', () => exchanges.delete(socket)))
  server.on('clientError', (error, socket) => {
    const reason = refuse(socket, error, exchanges.get(socket)?.response.headersSent ?? false)
    if (reason !== undefined) onRejected(reason)
  })
  server.on('upgrade', (request, socket, head) => {
    const flaw = flawIn(request, limits.headerCount)
    if (flaw !== undefined) return onRejected(refuse(socket, { code: flaw }, false) ?? 'malformed')
    ;(socket as Socket).setTimeout(0)
    upgrade(request, socket, head)
  })
  server.on('request', (request, response) => {
    if (!begin(request, response)) return
    const flaw = flawIn(request, limits.headerCount)
    if (flaw === undefined) handler(request, response)
    else onRejected(refuseRequest(response, flaw))
  })
  watchPace(exchanges, limits)

  /** False when too many are under way on the connection, which is cut then. */
  function begin(request: IncomingMessage, response: ServerResponse): boolean {
    const { socket } = request
    const underWay = (exchanges.get(socket)?.underWay ?? 0) + 1
    if (underWay > limits.pipelined) {
      if (!socket.destroyed) onRejected('pipelined')
      socket.destroy()
      return false
    }
    exchanges.set(socket, { request, response, underWay })
    if (draining) response.setHeader('connection', 'close')
    response.once('close', () => {
      const latest = exchanges.get(socket)
      if (latest !== undefined) latest.underWay -= 1
      if (latest?.underWay === 0 && latest.request.complete) exchanges.delete(socket)
      if (draining) setImmediate(() => server.closeIdleConnections())
    })
    return true
  }
  // The server is given its connections and never listens; this starts its watch over slow headers.
  server.emit('listening')

  return {
    connect: (socket) => server.emit('connection', socket),
    drain: () => ((draining = true), server.closeIdleConnections()),
  }
}

/** Whether an exchange that stands still does so because of us: a call may take an hour to answer. */
function isWaitingForUs(exchange: Exchange | undefined): boolean {
  if (exchange === undefined || exchange.underWay === 0) return false
  const { request, response } = exchange
  const owesBody = !request.complete && request.readableLength < request.readableHighWaterMark
  return !owesBody && response.writableLength === 0 && request.socket.writableLength === 0
}
