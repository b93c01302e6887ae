import type { AppId } from '../domain/ids.ts'
import { cancelledOutcome } from '../domain/outcome.ts'
import type { Homes } from '../home/home.ts'
import type { Clock } from '../kit/clock.ts'
import { completeWaiting, waitingRequests } from '../store/requests.ts'
import type { Store } from '../store/store.ts'

/** How many requests are ended side by side: they share commits. */
const endTogether = 1_000

interface FlushParts {
  readonly store: Store
  readonly homes: Homes
  readonly clock: Clock
}

/** Cancels what waits for an app at this moment, of one caller or of all. What runs goes on. Answers how many. */
export async function flush(
  appId: AppId,
  callerId: string | undefined,
  { store, homes, clock }: FlushParts,
): Promise<number> {
  const whose = { appId, acceptedBy: clock.now(), ...(callerId === undefined ? {} : { callerId }) }
  let ended = 0
  for (let after = 0; ;) {
    const page = await store.read(waitingRequests(whose, after, endTogether))
    const ends = await Promise.all(page.map(({ id }) => cancel(id)))
    ended += ends.filter((won) => won).length
    after = page.at(-1)?.seq ?? after
    if (page.length < endTogether) return ended
  }

  async function cancel(requestId: string): Promise<boolean> {
    const outcome = cancelledOutcome(requestId)
    const won = await store.commit(completeWaiting({ requestId, outcome, now: clock.now() }))
    // A home that no longer has it has matched it: then the store refuses to start the attempt.
    if (won) homes.of(appId).withdraw(requestId)
    homes.requestChanges.tell(requestId)
    return won
  }
}
