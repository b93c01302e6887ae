import { startLoop, type Loop } from '../../kit/loop.ts'
import type { Clock } from '../../kit/clock.ts'
import type { Logger } from '../../kit/logger.ts'
import { forgetEvents } from '../../store/events.ts'
import { patiently } from '../../store/sql.ts'
import type { Store } from '../../store/store.ts'

const dayMs = 24 * 60 * 60_000
const everyMs = 60 * 60_000
/** Few enough that nobody waits for the commit that holds them. */
const atOnce = 500

interface SweepParts {
  readonly store: Store
  readonly clock: Clock
  readonly log: Logger
  readonly retentionDays: number
}

/** Forgets, from now on and every hour, the changes that are older than they are kept. */
export function startEventSweep(parts: SweepParts): Loop {
  return startLoop((signal) => sweepEvents(parts, signal), { name: 'event sweep', everyMs, log: parts.log })
}

/** In small steps, each a commit of its own. */
export async function sweepEvents(
  { store, clock, retentionDays }: Omit<SweepParts, 'log'>,
  signal: AbortSignal,
): Promise<void> {
  const before = clock.now() - retentionDays * dayMs
  let forgotten: number
  do {
    forgotten = await store.commit(patiently(forgetEvents(before, atOnce)))
  } while (forgotten === atOnce && !signal.aborted)
}
