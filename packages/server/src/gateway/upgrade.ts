import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { endpointOf, headersToCaller, headersToRunner } from '../calls/headers.ts'
import { CarrickError } from '../domain/errors.ts'
import type { RequestId } from '../domain/ids.ts'
import { troubles } from '../domain/outcome.ts'
import type { HeaderPairs } from '../domain/request.ts'
import type { Slot } from '../home/home.ts'
import { callableApp, callerIdFor, callerOf, owns } from './access.ts'
import { reasonPhrase } from './answers.ts'
import { disconnected } from './body.ts'
import type { GatewayDeps } from './deps.ts'
import { errorAnswer, told } from './errors.ts'
import { offerUpgrade, type Reply } from './handshake.ts'
import { watch } from './patience.ts'
import { headerPairs } from './platform-headers.ts'
import type { Route } from './route.ts'
import type { Target } from './target.ts'
import { longestTimerMs, startLimitMs, waitForSlot } from './slot.ts'
import { taking } from './taking.ts'
import { judge } from './verdict.ts'

/** A request to leave HTTP: its connection, and what came on it behind the headers. */
export interface Upgrade {
  readonly req: IncomingMessage
  readonly socket: Duplex
  readonly head: Buffer
  readonly requestId: RequestId
}

/**
 * Takes a WebSocket to the app and joins the two connections. It holds one slot, for `request_timeout` at most: then it
 * is cut, and the runner stays. Where the app refuses, its answer is the caller's. Never rejects.
 */
export async function tunnel(deps: GatewayDeps, upgrade: Upgrade, route: Route): Promise<void> {
  const { socket, requestId } = upgrade
  socket.on('error', () => {}) // followed by `close`
  try {
    await open(taking(deps), upgrade, toApp(route))
  } catch (error) {
    refuse(socket, told(error, requestId, deps.log), requestId)
  } finally {
    linger(socket)
  }
}

/** Long enough for the last words to arrive before a reset could overtake them. */
const lingerMs = 1_000

function linger(socket: Duplex): void {
  if (socket.destroyed) return
  const cut = setTimeout(() => socket.destroy(), lingerMs)
  socket.once('close', () => clearTimeout(cut)).resume()
}

function toApp(route: Route): Target {
  switch (route.kind) {
    case 'call':
      return route
    case 'session':
      throw new CarrickError(
        'unimplemented',
        'Sessions under /ws are not served by this version: connect to the app itself',
      )
    case 'refused':
      throw new CarrickError(route.code, route.message)
    default:
      throw new CarrickError('route_not_found', 'There is no WebSocket here: connect to /{owner}/{app}/{path}')
  }
}

async function open(deps: GatewayDeps, upgrade: Upgrade, { alias, path }: Target): Promise<void> {
  const { req, socket, head, requestId } = upgrade
  const caller = callerOf(req, deps.keyring)
  const known = callableApp(deps.apps, caller, alias)
  const deadlineMs = startLimitMs(req.headers, known, owns(caller, known))
  const patience = watch(socket, head)
  const { gone } = patience
  using slot = await waitForSlot(deps, known, { requestId, deadlineMs, signal: gone })

  const limit = AbortSignal.timeout(Math.min(known.app.scale.request_timeout * 1_000, longestTimerMs))
  const signal = AbortSignal.any([gone, limit])
  const origin = { requestId, endpoint: endpointOf(known.app, path), callerId: callerIdFor(caller, known) }
  const headers = headersToRunner(headerPairs(req.rawHeaders), origin)
  const reply = await offerUpgrade(slot.address, { method: req.method ?? 'GET', path, headers }, signal)
  if (reply.kind === 'failed') {
    if (gone.aborted) throw disconnected()
    const trouble = limit.aborted ? 'timed_out' : reply.trouble
    judge(deps, { appId: known.app.id, runnerId: slot.runnerId }, { kind: trouble })
    throw new CarrickError(troubles[trouble].code, troubles[trouble].message)
  }
  await pass(reply, { ...upgrade, head: patience.end() }, slot, signal)
}

/** Resolves when it is over, however it ended: nobody could be told any more. */
async function pass(
  reply: Answered,
  { socket, head, requestId }: Upgrade,
  { runnerId }: Slot,
  signal: AbortSignal,
): Promise<void> {
  const status = reply.answer.statusCode ?? 502
  const headers = headersToCaller(headerPairs(reply.answer.rawHeaders), { status, requestId, runnerId })
  if (reply.kind === 'refused') {
    socket.write(headOf(status, [...headers, ['connection', 'close']]))
    return await pipeline(reply.answer, socket, { signal }).catch(() => {})
  }
  const { runner, early } = reply
  for (const end of [socket, runner]) end.setMaxListeners(20) // two pipelines listen to each
  socket.write(headOf(status, [...headers, ['connection', 'Upgrade'], ['upgrade', 'websocket']]))
  socket.write(early)
  runner.write(head)
  await Promise.allSettled([pipeline(socket, runner, { signal }), pipeline(runner, socket, { signal })])
}

type Answered = Exclude<Reply, { kind: 'failed' }>

function refuse(socket: Duplex, error: CarrickError, requestId: RequestId): void {
  if (!socket.writable) return void socket.destroy()
  const { status, headers, body } = errorAnswer(error)
  const text = Buffer.from(JSON.stringify(body))
  const ours: HeaderPairs = [
    ['content-type', 'application/json; charset=utf-8'],
    ['content-length', String(text.length)],
    ['x-fal-request-id', requestId],
    ['connection', 'close'],
  ]
  socket.write(headOf(status, [...headers, ...ours]))
  socket.end(text)
}

/** Latin-1, as HTTP headers are. */
function headOf(status: number, headers: HeaderPairs): Buffer {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return Buffer.from(`HTTP/1.1 ${status} ${reasonPhrase(status)}\r\n${lines}\r\n`, 'latin1')
}
