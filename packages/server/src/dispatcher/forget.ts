import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../kit/clock.ts'
import type { Store } from '../store/store.ts'
import { forgetPayloads, unkeptEndedBy } from '../store/unkept.ts'

/** How long a result that is not to be kept can be fetched (client-protocol §6.4). */
export const unkeptMs = 60 * 60_000

const step = 100

/** Forgets the payloads of requests that came with `X-Fal-Store-IO: 0` and ended an hour ago. Reads and writes a few at a time. */
export async function forgetUnkept(
  { store, clock }: { readonly store: Store; readonly clock: Clock },
  signal: AbortSignal,
): Promise<void> {
  for (let more = true; more && !signal.aborted; await turn()) {
    const due = await store.read(unkeptEndedBy(clock.now() - unkeptMs, step))
    for (const request of due) await store.commit(forgetPayloads(request))
    more = due.length === step
  }
}
