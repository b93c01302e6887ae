import type { AppId, Seq } from '../domain/ids.ts'
import { cancelledOutcome, failedOutcome, troubles } from '../domain/outcome.ts'
import { longestBackOffMs } from '../domain/retry.ts'
import { finishAttempt, unfinishedRequests } from '../store/requests.ts'
import type { UnfinishedRequest } from '../store/request-rows.ts'
import { persist } from './persist.ts'
import { settle } from './settle.ts'
import type { SettleParts } from './settle.ts'

const pageSize = 5_000

/**
 * Fills an app's home with its unfinished requests up to a place in the order, in their order. One that was running is an
 * attempt that ended when the platform did: the usual rule decides, so a request that forbids retries does not run twice.
 */
export async function recoverApp(appId: AppId, upTo: Seq, parts: SettleParts): Promise<void> {
  const { store, homes, clock } = parts
  const pageAfter = (after: Seq) => store.read(unfinishedRequests(appId, { after, upTo }, pageSize))
  let next: Promise<readonly UnfinishedRequest[]> | undefined = pageAfter(0)
  while (next) {
    const page: readonly UnfinishedRequest[] = await next
    // The next page is read while this one is taken in: of a long queue each costs about the same.
    next = page.length === pageSize ? pageAfter(page.at(-1)!.request.seq) : undefined
    const latest = clock.now() + longestBackOffMs
    for (const { state, request } of page)
      if (state === 'waiting') homes.of(appId).admit(request.dueAt > latest ? { ...request, dueAt: latest } : request)
    await Promise.all(page.filter(({ state }) => state === 'running').map((each) => endOfInterrupted(each, parts)))
  }
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
