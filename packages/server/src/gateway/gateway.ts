/**
 * Gateway: calls to apps, straight and through the queue.
 * Reads apps and keys from memory, requests and results from the store; writes accepted requests; calls runners for
 * direct callers. Any number may run.
 */
import { setMaxListeners } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { setTimeout as rest } from 'node:timers/promises'
import { CarrickError } from '../domain/errors.ts'
import { assertNever } from '../kit/assert-never.ts'
import { uuidv7 } from '../kit/ids.ts'
import { answerCancel } from './cancel.ts'
import { allowOrigin, answerPreflight, isPreflight, isProxied } from './cors.ts'
import type { Exchange, GatewayDeps, SocketDeps } from './deps.ts'
import { answerError } from './errors.ts'
import { waitUntilOver } from './long-poll.ts'
import { namesRevision, openNamed } from './named-revision.ts'
import { answerResult } from './result.ts'
import { routeOf, type Route } from './route.ts'
import { answerStatus } from './status.ts'
import { streamStatus, type StreamDeps } from './status-stream.ts'
import { StatusWatch } from './status-watch.ts'
import { submit } from './submit.ts'
import { directCall } from './sync.ts'
import { draining as goingDown, taking } from './taking.ts'
import { tunnel } from './sockets/upgrade.ts'

export interface Gateway {
  /**
   * Answers a request, whatever happens. False when it is for the REST door: then `req.url` is the path to find there,
   * and nothing was answered.
   */
  handle(req: IncomingMessage, res: ServerResponse): boolean
  /** Whether this is a call to an app: the app's limits bound it. */
  isCall(req: IncomingMessage): boolean
  /** Takes a WebSocket handshake to the app, and its connection from then on. */
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void
  /**
   * Resolves when the direct calls that are under way now have ended, after `graceMs` at the latest. Calls that wait for a
   * runner are told to come again, and from here on nobody is kept waiting for a request that does not start any more.
   */
  idle(limits: { graceMs: number }): Promise<void>
}

export function createGateway(given: GatewayDeps): Gateway {
  const { homes, logs, log } = given
  const statusWatch = new StatusWatch({ changes: homes.requestChanges, logs, log })
  const draining = new AbortController()
  setMaxListeners(0, draining.signal) // one for each session
  const deps: StreamDeps & SocketDeps = { ...given, statusWatch, draining: draining.signal }
  const routed = (req: IncomingMessage) => routeOf(askedBy(req), deps.names().hosts)
  const calls = new Set<Promise<void>>()
  const count = (call: Promise<void>) => {
    calls.add(call)
    void call.then(() => calls.delete(call))
  }
  return {
    handle(req, res) {
      const route = routed(req)
      if (isPreflight(req) && isProxied(req)) {
        allowOrigin(req, res)
        answerPreflight(req, res)
        return true
      }
      if (route.kind === 'rest') {
        req.url = route.url
        return false
      }
      const requestId = 'requestId' in route ? route.requestId : uuidv7(deps.clock)
      const answered = answer(deps, { req, res, requestId }, route)
      if (route.kind === 'call') count(answered)
      return true
    },
    isCall: (req) => routed(req).kind === 'call',
    upgrade(req, socket, head) {
      // A copy, because the whole of what was read with it would be kept for as long as the connection.
      const upgrade = { req, socket, head: Buffer.from(head), requestId: uuidv7(deps.clock) }
      count(tunnel(deps, upgrade, routed(req)))
    },
    async idle({ graceMs }) {
      statusWatch.drain()
      draining.abort()
      for (const home of homes.all()) home.turnAway(goingDown())
      const over = new AbortController()
      await Promise.race([Promise.all(calls), rest(graceMs, undefined, { signal: over.signal }).catch(() => {})])
      over.abort()
    },
  }
}

type Answerable = Exclude<Route, { kind: 'rest' }>

/** Never rejects. */
async function answer(deps: StreamDeps, exchange: Exchange, route: Answerable): Promise<void> {
  const { req, res, requestId } = exchange
  allowOrigin(req, res)
  try {
    if (isPreflight(req)) answerPreflight(req, res)
    else await serve(deps, exchange, route)
  } catch (error) {
    countRejected(deps, error, route)
    answerError(res, error, requestId, deps.log)
  }
}

function countRejected({ rejected }: GatewayDeps, error: unknown, { kind }: Answerable): void {
  if (!(error instanceof CarrickError)) return
  if (error.code === 'body_too_large') rejected.body_too_large += 1
  else if (kind === 'refused' && error.code === 'bad_request') rejected.bad_target += 1
}

async function serve(deps: StreamDeps, exchange: Exchange, route: Answerable): Promise<void> {
  switch (route.kind) {
    case 'call':
      if (namesRevision(route)) await openNamed(taking(deps), exchange.req, route)
      return await directCall(taking(deps), exchange, route)
    case 'submit':
      if (namesRevision(route)) await openNamed(taking(deps), exchange.req, route)
      return await submit(taking(deps), exchange, route)
    case 'status':
      if ('prefer' in exchange.req.headers) await waitUntilOver(deps, exchange, route)
      return await answerStatus(deps, exchange, route)
    case 'status_stream':
      return await streamStatus(deps, exchange, route)
    case 'result':
      if ('prefer' in exchange.req.headers) await waitUntilOver(deps, exchange, route)
      return await answerResult(deps, exchange, route)
    case 'cancel':
      return await answerCancel(deps, exchange, route)
    case 'session':
      throw new CarrickError(
        'bad_request',
        'Sessions are WebSockets: connect with wss:// here, or call /{owner}/{app} without /ws in front',
      )
    case 'refused':
      throw new CarrickError(route.code, route.message)
    default:
      return assertNever(route)
  }
}

function askedBy({ method = 'GET', url = '/', headers }: IncomingMessage) {
  const target: string | readonly string[] | undefined = headers['x-fal-target-url']
  return { method, url, host: headers.host, targetUrl: target === undefined ? undefined : String(target) }
}
