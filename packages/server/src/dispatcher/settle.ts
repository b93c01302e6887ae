import type { Clock, Moment } from '../kit/clock.ts'
import { crashPoint } from '../kit/crash-points.ts'
import type { Logger } from '../kit/logger.ts'
import type { RequestId, RunnerId } from '../domain/ids.ts'
import { cancelledOutcome, exceededMessage, failedOutcome, mayTellOfEnd } from '../domain/outcome.ts'
import type { Outcome, QueuedRequest } from '../domain/request.ts'
import { afterAttempt } from '../domain/retry.ts'
import type { Exceeded } from '../domain/runner.ts'
import type { Apps } from '../home/apps.ts'
import type { Homes } from '../home/home.ts'
import { finishAttempt, retryLater } from '../store/requests.ts'
import type { Store } from '../store/store.ts'
import type { Ended } from './attempt.ts'
import { persist } from './persist.ts'

export interface SettleParts {
  readonly store: Store
  readonly homes: Homes
  readonly apps: Apps
  readonly clock: Clock
  readonly log: Logger
  readonly random: () => number
  readonly signal: AbortSignal
  /** What a runner wanted too much of, if that has ended it. */
  readonly whatExceeded?: (id: RunnerId) => Promise<Exceeded | undefined>
}

/**
 * Decides what follows an attempt, and makes it durable: another attempt later, or the outcome. `request.attempt` is the
 * number of the attempt that ended, `endedAt` when it did; absent where nobody saw it.
 */
export async function settle(
  request: QueuedRequest,
  runnerId: RunnerId | undefined,
  { end, outcome, endedAt }: Ended & { readonly endedAt?: Moment | undefined },
  parts: SettleParts,
): Promise<void> {
  const { id: requestId, attempt, appId, hasWebhook } = request
  const app = parts.apps.byId(appId)
  const rules = (app?.active ?? app?.rolling)?.spec ?? { skipRetryConditions: [], retryBudgets: {} }
  const decision = afterAttempt(end, request, rules, parts.random())
  const finish = async (last: Outcome, dead = false): Promise<void> => {
    const now = parts.clock.now()
    const finishing = {
      requestId,
      attempt,
      outcome: last,
      answeredAt: endedAt,
      now,
      dead,
      hasWebhook,
    }
    const isLast = await persist(finishAttempt(finishing), parts)
    if (isLast) parts.homes.latest.ended(requestId, last, now)
    else parts.homes.latest.left(requestId)
    parts.homes.requestChanges.tell(requestId)
    if (isLast && app) parts.homes.of(appId).traffic.completed('POST', last.status, request.acceptedAt)
    crashPoint('after_outcome')
  }

  if (decision.kind === 'final')
    return await finish(await explained(requestId, runnerId, { end, outcome }, parts), decision.dead)
  if (app === undefined) return await finish(goneOutcome(requestId))
  const now = parts.clock.now()
  const dueAt = now + decision.delayMs
  const failed = { at: endedAt ?? now, status: outcome.status, code: outcome.error?.code, retryAt: dueAt }
  const waits = await persist(retryLater({ requestId, attempt, dueAt, used: decision.used, failed }), parts)
  // Refused means that it was cancelled while it ran; or that the attempt is an old one: then this is refused as well.
  if (!waits) return await finish(cancelledOutcome(requestId))
  parts.homes.latest.left(requestId)
  parts.homes.of(appId).admit({ ...request, dueAt, used: decision.used, avoid: runnerId })
  parts.homes.requestChanges.tell(requestId)
}

/** Whose runner ended for wanting too much is told so. */
async function explained(
  requestId: RequestId,
  runnerId: RunnerId | undefined,
  { end, outcome }: Ended,
  { whatExceeded }: SettleParts,
): Promise<Outcome> {
  if (!mayTellOfEnd(end.kind) || runnerId === undefined || outcome.error === undefined) return outcome
  const exceeded = await whatExceeded?.(runnerId)
  if (exceeded === undefined) return outcome
  const { code, message } = outcome.error
  return failedOutcome({ code, message: exceededMessage(message, exceeded), requestId, runnerId })
}

/** The app was deleted, so nothing will ever serve it. */
export function goneOutcome(requestId?: RequestId): Outcome {
  return failedOutcome({ code: 'app_not_found', message: 'The app was deleted while the request waited', requestId })
}
