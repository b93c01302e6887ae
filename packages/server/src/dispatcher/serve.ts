import type { LastingBlobs } from '../blobs/blob-store.ts'
import type { Caller } from '../calls/call.ts'
import type { RequestId, RunnerId } from '../domain/ids.ts'
import { failedOutcome } from '../domain/outcome.ts'
import { isOwnServer } from '../domain/own-server.ts'
import type { QueuedRequest, RequestPayload } from '../domain/request.ts'
import { runnerVerdict } from '../domain/retry.ts'
import type { AttemptEnd, Judged } from '../domain/retry.ts'
import type { KnownApp } from '../home/apps.ts'
import type { Home, Match } from '../home/home.ts'
import type { Moment } from '../kit/clock.ts'
import { payloadOf } from '../store/bodies.ts'
import { startAttempt } from '../store/requests.ts'
import { Attempt } from './attempt.ts'
import type { Ended } from './attempt.ts'
import { readPatiently } from './persist.ts'
import { goneOutcome, settle } from './settle.ts'
import type { SettleParts } from './settle.ts'

export interface ServeParts extends SettleParts {
  readonly caller: Caller
  readonly blobs: LastingBlobs
  /** Told of runners that should be looked at, or ended. The home has let go of the latter already. */
  readonly onRunnerVerdict: (runnerId: RunnerId, verdict: Judged['kind'], reason: Judged['reason']) => void
  readonly limits: { readonly resultBytes: number; readonly connectTimeoutMs: number }
  /** Serves none of a home's queue for a while. */
  readonly holdBack: (home: Home) => void
}

/** The attempts that are under way here. */
export type InFlight = Map<RequestId, Attempt>

/** Sees one match through: the attempt's start made durable, the call, and what follows from how it ended. */
export async function serve(match: Match, home: Home, parts: ServeParts, inFlight: InFlight): Promise<void> {
  using slot = match.slot
  const known = parts.apps.byId(home.appId)
  const app = known?.app
  const attempt = new Attempt(match.request.id, slot, calledOf(known))
  inFlight.set(attempt.requestId, attempt)
  try {
    const payload = settled(match.payload ?? readPatiently(payloadOf(match.request.id), parts))
    const request =
      match.startedAt === undefined ? await start(match, home, parts) : first(match, match.startedAt, parts)
    if (request === undefined) return
    const ended = app ? await run(attempt, request, await payload, { match, home, parts }) : gone(request.id)
    slot.release()
    // What was cut off by the platform's own end is decided about at its next start.
    if (ended.end.kind === 'aborted') return
    await settle(request, slot.runnerId, { ...ended, endedAt: attempt.endedAt }, parts)
  } finally {
    parts.homes.latest.left(attempt.requestId)
    inFlight.delete(attempt.requestId)
  }
}

function calledOf(known: KnownApp | undefined): ConstructorParameters<typeof Attempt>[2] {
  if (known === undefined) return { owner: '', name: '' }
  const { app, active } = known
  return active !== undefined && isOwnServer(active.spec)
    ? { owner: app.owner, name: app.name, isOwnServer: true }
    : app
}

/** The request with its first attempt counted, which was stored together with it. */
function first({ request, slot }: Match, startedAt: Moment, { homes }: ServeParts): QueuedRequest {
  homes.latest.started(request, { attempt: 1, runnerId: slot.runnerId, startedAt })
  return { ...request, attempt: 1 }
}

/** The request with its attempt counted; undefined when it may not run now. */
async function start({ request, slot }: Match, home: Home, parts: ServeParts): Promise<QueuedRequest | undefined> {
  const attempt = request.attempt + 1
  const now = parts.clock.now()
  try {
    const mine = await parts.store.commit(
      startAttempt({ requestId: request.id, attempt, runnerId: slot.runnerId, now }),
    )
    if (mine) parts.homes.latest.started(request, { attempt, runnerId: slot.runnerId, startedAt: now })
    parts.homes.requestChanges.tell(request.id)
    return mine ? { ...request, attempt } : undefined
  } catch (error) {
    parts.log.warn({ err: error, requestId: request.id }, 'an attempt could not be stored, so its queue waits a little')
    parts.holdBack(home) // the queue as a whole, so that nobody overtakes
    slot.release()
    home.admit(request)
    return undefined
  }
}

async function run(
  attempt: Attempt,
  { id: requestId, appId, keyId, attempt: number }: QueuedRequest,
  payload: Settled<RequestPayload | undefined>,
  { match, home, parts }: { match: Match; home: Home; parts: ServeParts },
): Promise<Ended> {
  const { slot } = match
  const { caller, blobs, limits, signal, apps } = parts
  const app = apps.byId(appId)?.app
  const requestTimeoutMs = 1_000 * (app?.scale.request_timeout ?? 0)
  using use = parts.homes.usage.begin(slot.runnerId, { keyId, isShared: app?.authMode === 'shared' })
  try {
    if ('error' in payload) throw payload.error
    if (payload.value === undefined) throw new Error('the stored request has no body')
    return await attempt.run(payload.value, {
      number,
      caller,
      blobs: blobs.patient(signal), // its answer must not be asked for twice
      resultBytes: limits.resultBytes,
      limits: { requestTimeoutMs, connectTimeoutMs: limits.connectTimeoutMs, signal },
      onRunnerDone: (end) => {
        attempt.endedAt = parts.clock.now()
        judge(end, slot.runnerId, home, parts)
        use.end()
        slot.release()
      },
    })
  } catch (error) {
    if (signal.aborted) throw error
    parts.log.error({ err: error, requestId }, 'an attempt ended in an unforeseen way; its request is told so')
    return unforeseen(requestId)
  }
}

/** A runner that failed gets no more requests from this moment on; others decide about its end. */
function judge(end: AttemptEnd, runnerId: RunnerId, home: Home, { onRunnerVerdict }: ServeParts): void {
  if (end.kind === 'answered' && end.hints) home.advertise(runnerId, end.hints)
  const verdict = runnerVerdict(end)
  if (verdict.kind === 'keep') return
  if (verdict.kind === 'terminate') home.retire(runnerId)
  onRunnerVerdict(runnerId, verdict.kind, verdict.reason)
}

const final: AttemptEnd = { kind: 'answered', status: 500, needsRetry: false }

function gone(requestId: RequestId): Ended {
  return { end: final, outcome: goneOutcome(requestId) }
}

function unforeseen(requestId: RequestId): Ended {
  const message = 'The platform failed to handle the request; its own log says why'
  return { end: final, outcome: failedOutcome({ code: 'internal_error', message, requestId }) }
}

type Settled<T> = { readonly value: T } | { readonly error: unknown }

/** For work that runs beside other work: it never rejects. */
async function settled<T>(work: T | Promise<T>): Promise<Settled<T>> {
  try {
    return { value: await work }
  } catch (error) {
    return { error }
  }
}
