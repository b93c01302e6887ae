import type { Duplex } from 'node:stream'
import { unauthenticated } from '../../access/authorize.ts'
import { endpointOf, headersToRunner } from '../../calls/headers.ts'
import { CarrickError } from '../../domain/errors.ts'
import type { RequestId } from '../../domain/ids.ts'
import { troubles } from '../../domain/outcome.ts'
import type { HeaderPairs } from '../../domain/request.ts'
import type { CalledAs } from '../../home/usage-meter.ts'
import { callableApp, calledAs, callerByToken, callerIdFor, owns, type CallableApp } from '../access.ts'
import { disconnected } from '../body.ts'
import type { SocketDeps } from '../deps.ts'
import { errorAnswer, told } from '../errors.ts'
import type { Upgrade } from './handshake.ts'
import type { Thaw } from '../../home/home.ts'
import { headOf, passBytes, passMessages, type Passed, type Passing } from './pass.ts'
import { watch } from './patience.ts'
import { namesRevision, openNamed } from '../named-revision.ts'
import { headerPairs } from '../platform-headers.ts'
import { bufferingIn } from './realtime.ts'
import type { Route } from '../route.ts'
import { serveSession } from './session.ts'
import { longestTimerMs, startLimitMs, waitForSlot } from '../slot.ts'
import { socketKindOf } from './socket-kind.ts'
import { taking } from '../taking.ts'
import type { Target } from '../target.ts'
import { sayUnauthorized } from './unauthorized.ts'
import { judge } from '../verdict.ts'

/**
 * Takes a WebSocket to the app and joins the two connections, or serves a session of calls by itself. Never rejects.
 * Where the app refuses, its answer is the caller's.
 */
export async function tunnel(deps: SocketDeps, upgrade: Upgrade, route: Route): Promise<void> {
  const { socket, requestId } = upgrade
  socket.on('error', () => {}) // followed by `close`
  try {
    taking(deps)
    await serve(deps, upgrade, route)
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

async function serve(deps: SocketDeps, upgrade: Upgrade, route: Route): Promise<void> {
  switch (route.kind) {
    case 'call':
    case 'session':
      return await reach(deps, upgrade, route, route.kind)
    case 'refused':
      throw new CarrickError(route.code, route.message)
    default:
      throw new CarrickError('route_not_found', 'There is no WebSocket here: connect to /{owner}/{app}/{path}')
  }
}

/** Sessions stand under an address of their own, where WebSockets of apps are to be found as well. */
async function reach(deps: SocketDeps, upgrade: Upgrade, target: Target, kind: 'call' | 'session'): Promise<void> {
  const caller = await callerByToken(upgrade.req, deps, target)
  const { alias, path, token } = target
  const isPublic = deps.apps.find(alias.owner, alias.name)?.app.authMode === 'public'
  if (caller === undefined && token !== undefined && !isPublic) return await sayUnauthorized(upgrade)
  if (namesRevision(target)) await openNamed(deps, upgrade.req, target)
  const known = callableApp(deps.apps, caller, alias)
  if (kind === 'session' && socketKindOf(known.active, path) === undefined) {
    return await serveSession(deps, upgrade, target)
  }
  const who = { callerId: callerIdFor(caller, known), isOwner: owns(caller, known), as: calledAs(caller, known) }
  const called = { known, path, ...who, ends: caller && deps.keyring.endOf(caller.keyId) }
  await connect(deps, upgrade, called)
}

interface Called {
  readonly known: CallableApp
  readonly path: string
  readonly callerId: string
  readonly isOwner: boolean
  readonly as: CalledAs
  /** Aborts when the caller's key counts no more: its holder has nothing open then. */
  readonly ends: AbortSignal | undefined
}

/** Holds one slot for as long as it is open, for `request_timeout` at most: then it is cut, and the runner stays. */
async function connect(
  deps: SocketDeps,
  upgrade: Upgrade,
  { known, path, callerId, isOwner, as, ends }: Called,
): Promise<void> {
  const { req, socket, head, requestId } = upgrade
  const speaksMsgpack = socketKindOf(known.active, path) === 'msgpack'
  const buffering = speaksMsgpack ? bufferingIn(path) : undefined
  const deadlineMs = startLimitMs(req.headers, known, isOwner)
  const patience = watch(socket, head)
  const { gone } = patience
  using slot = await waitForSlot(deps, known, { requestId, deadlineMs, signal: gone })
  using use = deps.homes.usage.begin(slot.runnerId, as, requestId)

  using limit = timeLimit(known.app.scale.request_timeout * 1_000, ends === undefined ? [gone] : [gone, ends])
  const origin = { requestId, endpoint: endpointOf(known.app, path), callerId }
  const headers = headersToRunner(headerPairs(req.rawHeaders), origin)
  const passing: Passing = {
    upgrade,
    slot,
    use,
    path,
    headers,
    patience,
    signal: limit.signal,
    ends,
    limits: deps.limits,
  }
  const pass = () => (speaksMsgpack ? passMessages(passing, buffering) : passBytes(passing))
  const { trouble, over } = await (slot.thaw === undefined ? pass() : afterThaw(slot.thaw, pass))
  await over
  if (trouble === undefined) return
  if (gone.aborted) throw disconnected()
  if (ends?.aborted === true) throw unauthenticated()
  const kind = limit.signal.aborted ? 'timed_out' : trouble
  judge(deps, { appId: known.app.id, runnerId: slot.runnerId }, { kind })
  throw new CarrickError(troubles[kind].code, troubles[kind].message)
}

/** A runner that stays frozen is one that cannot be reached. */
function afterThaw(thaw: Thaw, pass: () => Promise<Passed>): Promise<Passed> {
  return thaw().then(pass, () => ({ trouble: 'connection_error' }))
}

interface TimeLimit extends Disposable {
  readonly signal: AbortSignal
}

/** Aborts after so long, and when one of these does. */
function timeLimit(limitMs: number, others: readonly AbortSignal[]): TimeLimit {
  const over = new AbortController()
  const timer = setTimeout(() => over.abort(), Math.min(limitMs, longestTimerMs))
  const abort = () => over.abort()
  for (const other of others) other.addEventListener('abort', abort, { once: true })
  if (others.some(({ aborted }) => aborted)) abort()
  const dispose = () => {
    clearTimeout(timer)
    for (const other of others) other.removeEventListener('abort', abort) // a key's outlives many of these
  }
  return { signal: over.signal, [Symbol.dispose]: dispose }
}

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
