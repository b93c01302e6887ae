import type { AppId } from '../domain/ids.ts'
import { cancelledOutcome, failedOutcome, troubles } from '../domain/outcome.ts'
import { finishAttempt, unfinishedRequests } from '../store/requests.ts'
import type { UnfinishedRequest } from '../store/request-rows.ts'
import { persist } from './persist.ts'
import { settle } from './settle.ts'
import type { SettleParts } from './settle.ts'

const pageSize = 5_000

/**
 * Fills an app's home with its unfinished requests, in their order. One that was running is an attempt that ended when
 * the platform did: the usual rule decides, so a request that forbids retries does not run twice.
 */
export async function recoverApp(appId: AppId, parts: SettleParts): Promise<void> {
  let after = 0
  let page: readonly UnfinishedRequest[]
  do {
    page = await parts.store.read(unfinishedRequests(appId, after, pageSize))
    after = page.at(-1)?.request.seq ?? after
    for (const { state, request } of page) if (state === 'waiting') parts.homes.of(appId).admit(request)
    await Promise.all(page.filter(({ state }) => state === 'running').map((each) => endOfInterrupted(each, parts)))
  } while (page.length === pageSize)
}

async function endOfInterrupted(
  { request, runnerId, cancelRequested }: UnfinishedRequest,
  parts: SettleParts,
): Promise<void> {
  const { id: requestId, attempt } = request
  if (cancelRequested) {
    const outcome = cancelledOutcome(requestId)
    await persist(finishAttempt({ requestId, attempt, outcome, now: parts.clock.now() }), parts)
    return
  }
  const outcome = failedOutcome({ ...troubles.restarted, requestId, runnerId })
  await settle(request, runnerId, { end: { kind: 'restarted' }, outcome }, parts)
}
