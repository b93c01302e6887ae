import { partsOfRunner, summed } from '../../domain/usage.ts'
import type { Moment } from '../../kit/clock.ts'
import { patiently } from '../../store/sql.ts'
import type { Store } from '../../store/store.ts'
import { countedSeq, countRunners, endedUncounted } from '../../store/usage.ts'
import { countRequests, openRequests, requestsBehind } from '../../store/usage-requests.ts'

/** How much goes in one commit. */
const stepSize = 500

/**
 * Puts runners and requests that have ended into the sums, each once, until none is left that was there at the beginning.
 * What has been read is counted in one commit with the mark that it is; nobody else may count meanwhile.
 */
export async function countRows(store: Store, now: Moment): Promise<void> {
  for (let isMore = true; isMore;) isMore = await countSomeRunners(store, now)
  for (let isMore = true; isMore;) isMore = await countSomeRequests(store)
}

/** Answers whether there may be more. */
async function countSomeRunners(store: Store, now: Moment): Promise<boolean> {
  const ended = await store.read(endedUncounted(stepSize))
  const ids = ended.map(({ id }) => id)
  const parts = summed(ended.flatMap((runner) => partsOfRunner(runner, now)))
  if (ids.length > 0) await store.commit(patiently(countRunners(ids, parts)))
  return ids.length === stepSize
}

/** Answers whether there may be more. */
async function countSomeRequests(store: Store): Promise<boolean> {
  const seq = await store.read(countedSeq())
  const [open, behind] = await Promise.all([
    store.read(openRequests(stepSize)),
    store.read(requestsBehind(seq, stepSize)),
  ])
  if (open.length === 0 && behind.length === 0) return false
  const parts = summed([...open, ...behind].flatMap(({ part }) => part ?? []))
  await store.commit(patiently(countRequests({ open, behind }, parts)))
  return open.length === stepSize || behind.length === stepSize
}
