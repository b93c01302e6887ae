import type { BeginAnswer, Failure, Relayed } from '../calls/call.ts'
import { askToStop } from '../calls/cancel.ts'
import { answered, endpointOf, fitsOnePiece, headersToCaller, headersToRunner } from '../calls/headers.ts'
import { isRedirect, redirectBelow } from '../calls/location.ts'
import { callerTo } from '../calls/thawing.ts'
import { CarrickError } from '../domain/errors.ts'
import { serverTiming } from '../domain/request-timeline.ts'
import type { RunnerId } from '../domain/ids.ts'
import { exceededMessage, httpStatus, mayTellOfEnd, troubles } from '../domain/outcome.ts'
import { isOwnServer } from '../domain/own-server.ts'
import type { AttemptEnd } from '../domain/retry.ts'
import type { Slot } from '../home/home.ts'
import type { Use } from '../home/usage-meter.ts'
import type { Moment } from '../kit/clock.ts'
import { callableApp, calledAs, callerByToken, callerIdFor, callerOf, owns, type CallableApp } from './access.ts'
import { begin as beginAnswer, sendHeaders } from './answers.ts'
import { incomingBody, type IncomingBody } from './body.ts'
import { Departure } from './departure.ts'
import type { Exchange, GatewayDeps } from './deps.ts'
import { headerPairs, hintOf } from './platform-headers.ts'
import { startLimitMs, waitForSlot } from './slot.ts'
import type { Target } from './target.ts'
import { judge } from './verdict.ts'

/** Passes a call to the app and its answer back, both as they come. Nothing is stored and nothing is tried twice. */
export async function directCall(deps: GatewayDeps, exchange: Exchange, target: Target): Promise<void> {
  const { req, res, requestId } = exchange
  const { alias, path, token } = target
  const caller = token === undefined ? callerOf(req, deps.keyring) : await callerByToken(req, deps, target)
  const known = callableApp(deps.apps, caller, alias)
  const deadlineMs = startLimitMs(req.headers, known, owns(caller, known))
  const cameAt = deps.clock.now()
  counted(deps, exchange, known, cameAt)
  const departure = new Departure(res)
  using body = incomingBody(req, deps.limits.bodyBytes)
  departure.throwIfGone()
  const hint = hintOf(req.headers)
  using slot =
    deps.homes.of(known.app.id).acquireNow(requestId, hint) ??
    (await waitForSlot(deps, known, { requestId, deadlineMs, signal: departure.signal, hint }))
  using use = deps.homes.usage.begin(slot.runnerId, calledAs(caller, known), requestId)
  const slotAt = deps.clock.now()
  const callerId = callerIdFor(caller, known)
  await serve(deps, exchange, { path, body, slot, use, known, departure, callerId, cameAt, slotAt })
}

/** A call counts when it comes, and again by what its caller was answered. */
function counted({ homes }: GatewayDeps, { req, res }: Exchange, { app }: CallableApp, cameAt: Moment): void {
  const { traffic } = homes.of(app.id)
  const method = req.method ?? 'GET'
  traffic.received(method)
  res.on('close', () => traffic.completed(method, res.headersSent ? res.statusCode : httpStatus.cancelled, cameAt))
}

interface Serving {
  readonly path: string
  readonly body: IncomingBody | null
  readonly slot: Slot
  readonly use: Use
  readonly known: CallableApp
  readonly departure: Departure
  readonly callerId: string
  readonly cameAt: Moment
  readonly slotAt: Moment
}

async function serve(deps: GatewayDeps, { req, res, requestId }: Exchange, serving: Serving): Promise<void> {
  const { path, body, slot, use, known, departure, callerId, cameAt, slotAt } = serving
  const origin = { requestId, endpoint: endpointOf(known.app, path), callerId }
  const headers = headersToRunner(headerPairs(req.rawHeaders), origin)
  const call = { method: req.method ?? 'GET', path, headers, body: body?.stream ?? null }

  // The app decides what becomes of its work; the slot stays taken until it is done. A server of its own sees who leaves.
  const hangsUp = isOwnServer(known.active.spec)
  const stop = () => void askToStop(deps.caller, slot.address, { ...origin, path })
  if (!hangsUp) departure.tell(stop)
  const begin: BeginAnswer = (status, answerHeaders) => {
    use.answered(answerHeaders)
    if (departure.gone) return undefined
    const timing = serverTiming({ cameAt, slotAt, firstByteAt: deps.clock.now(), runner: slot.cameUp })
    const shown = isRedirect(status) ? redirectBelow(known.app, slot.address, answerHeaders) : answerHeaders
    const kept = headersToCaller(shown, { status, requestId, runnerId: slot.runnerId })
    // Beside the app's own, where it sent one.
    beginAnswer(res, status, [...kept, ['server-timing', timing]])
    if (!fitsOnePiece(answerHeaders)) sendHeaders(res)
    return res
  }
  const limits = {
    requestTimeoutMs: known.app.scale.request_timeout * 1_000,
    connectTimeoutMs: deps.limits.connectTimeoutMs,
    ...(hangsUp ? { signal: departure.signal } : {}),
  }
  try {
    const relayed = await callerTo(slot, deps.caller).relay(slot.address, call, limits, begin)
    const callersFault = relayed.kind === 'answered' ? undefined : body?.failure()
    if (callersFault !== undefined) throw callersFault
    const end = endOf(relayed)
    // A body that breaks off takes an answer that has begun along: that says nothing about the runner.
    if (end.kind === 'answered' || body?.failure() === undefined)
      judge(deps, { appId: known.app.id, runnerId: slot.runnerId }, end)
    if (relayed.kind !== 'answered') throw await explained(relayed, slot.runnerId, deps)
  } finally {
    departure.tell(undefined)
  }
}

/** What the exchange says about the runner. */
function endOf(relayed: Relayed): AttemptEnd {
  if (relayed.kind !== 'answered') return relayed
  return relayed.end.kind === 'complete' ? answered(relayed.status, relayed.headers) : relayed.end
}

/** What a caller is told of a failure, and what its runner wanted too much of if that was its end. */
async function explained(failure: Failure, runnerId: RunnerId, { whatExceeded }: GatewayDeps): Promise<CarrickError> {
  const trouble = troubleOf(failure)
  const exceeded = mayTellOfEnd(failure.kind) ? await whatExceeded?.(runnerId) : undefined
  return exceeded === undefined ? trouble : new CarrickError(trouble.code, exceededMessage(trouble.message, exceeded))
}

/** What a caller is told of a failure. */
export function troubleOf({ kind }: Failure): CarrickError {
  const { code, message } = kind === 'aborted' ? troubles.disconnected : troubles[kind]
  return new CarrickError(code, message)
}
