import { pipeline } from 'node:stream/promises'
import type { BodyEnd, Exchange as Answer, Failure } from '../calls/call.ts'
import { askToStop } from '../calls/cancel.ts'
import { answered, endpointOf, headersToCaller, headersToRunner } from '../calls/headers.ts'
import { CarrickError } from '../domain/errors.ts'
import type { RunnerId } from '../domain/ids.ts'
import { httpStatus, troubles } from '../domain/outcome.ts'
import type { AttemptEnd } from '../domain/retry.ts'
import type { Slot } from '../home/home.ts'
import { callableApp, callerIdFor, callerOf, owns, type CallableApp } from './access.ts'
import { begin, sendHeaders } from './answers.ts'
import { incomingBody, type IncomingBody } from './body.ts'
import type { Exchange, GatewayDeps } from './deps.ts'
import { headerPairs, hintOf } from './platform-headers.ts'
import { departureOf, startLimitMs, waitForSlot } from './slot.ts'
import type { Target } from './target.ts'
import { judge } from './verdict.ts'

/** Answers of this size or less go out in one piece with their headers. */
const onePieceBytes = 64 * 1024

/** Passes a call to the app and its answer back, both as they come. Nothing is stored and nothing is tried twice. */
export async function directCall(deps: GatewayDeps, exchange: Exchange, { alias, path }: Target): Promise<void> {
  const { req, res, requestId } = exchange
  const caller = callerOf(req, deps.keyring)
  const known = callableApp(deps.apps, caller, alias)
  const deadlineMs = startLimitMs(req.headers, known, owns(caller, known))
  counted(deps, exchange, known)
  const gone = departureOf(res)
  using body = incomingBody(req, deps.limits.bodyBytes)
  using slot = await waitForSlot(deps, known, { requestId, deadlineMs, signal: gone, hint: hintOf(req.headers) })
  await serve(deps, exchange, { path, body, slot, known, gone, callerId: callerIdFor(caller, known) })
}

/** A call counts when it comes, and again by what its caller was answered. */
function counted({ homes, clock }: GatewayDeps, { req, res }: Exchange, { app }: CallableApp): void {
  const { traffic } = homes.of(app.id)
  const method = req.method ?? 'GET'
  const cameAt = clock.now()
  traffic.received(method)
  res.once('close', () => traffic.completed(method, res.headersSent ? res.statusCode : httpStatus.cancelled, cameAt))
}

interface Serving {
  readonly path: string
  readonly body: IncomingBody | null
  readonly slot: Slot
  readonly known: CallableApp
  /** Aborted when the caller has left. */
  readonly gone: AbortSignal
  readonly callerId: string
}

async function serve(deps: GatewayDeps, { req, res, requestId }: Exchange, serving: Serving): Promise<void> {
  const { path, body, slot, known, gone, callerId } = serving
  const origin = { requestId, endpoint: endpointOf(known.app, path), callerId }
  const headers = headersToRunner(headerPairs(req.rawHeaders), origin)
  const call = { method: req.method ?? 'GET', path, headers, body: body?.stream ?? null }

  // The app decides what becomes of its work; the slot stays taken until it is done.
  const stop = () => void askToStop(deps.caller, slot.address, { ...origin, path })
  gone.addEventListener('abort', stop, { once: true })
  try {
    const answer = await deps.caller.exchange(slot.address, call, {
      requestTimeoutMs: known.app.scale.request_timeout * 1_000,
      connectTimeoutMs: deps.limits.connectTimeoutMs,
      signal: new AbortController().signal,
    })
    const callersFault = answer.kind === 'answered' ? undefined : body?.failure()
    if (callersFault !== undefined) throw callersFault
    const end = await relay(answer, { res, requestId, runnerId: slot.runnerId, gone })
    // A body that breaks off takes an answer that has begun along: that says nothing about the runner.
    if (end.kind === 'answered' || body?.failure() === undefined)
      judge(deps, { appId: known.app.id, runnerId: slot.runnerId }, end)
    if (answer.kind !== 'answered') throw troubleOf(answer)
  } finally {
    gone.removeEventListener('abort', stop)
  }
}

/** Sends an answer on as it comes. Where it breaks off, so does the caller's. */
async function relay(
  answer: Answer,
  { res, requestId, runnerId, gone }: Pick<Exchange, 'res' | 'requestId'> & { runnerId: RunnerId; gone: AbortSignal },
): Promise<AttemptEnd> {
  if (answer.kind !== 'answered') return answer
  const { status, headers, body } = answer
  if (gone.aborted) body.destroy()
  else {
    begin(res, status, headersToCaller(headers, { status, requestId, runnerId }))
    if (!fitsOnePiece(headers)) sendHeaders(res)
    await pipeline(body, res).catch(() => {}) // how it ended for the runner is what counts, and comes next
  }
  const ended: BodyEnd = await answer.ended
  return ended.kind === 'complete' ? answered(status, headers) : ended
}

function fitsOnePiece(headers: readonly (readonly [string, string])[]): boolean {
  const length = headers.find(([name]) => name === 'content-length')?.[1]
  return length !== undefined && Number(length) <= onePieceBytes
}

function troubleOf({ kind }: Failure): CarrickError {
  const { code, message } = kind === 'aborted' ? troubles.disconnected : troubles[kind]
  return new CarrickError(code, message)
}
