import { discardBlobs } from '../../blobs/sweep.ts'
import type { LocalBlobs } from '../../blobs/local-blobs.ts'
import type { Clock } from '../../kit/clock.ts'
import type { Logger } from '../../kit/logger.ts'
import { startLoop } from '../../kit/loop.ts'
import { namedBlobs } from '../../store/blobs.ts'
import type { Store } from '../../store/store.ts'

interface BlobSweepParts {
  readonly blobs: Pick<LocalBlobs, 'prefixes' | 'keysUnder' | 'discard'>
  readonly store: Store
  readonly clock: Clock
  readonly log: Logger
}

export interface BlobSweep {
  /** Blobs that went since the start. */
  swept(): number
  stop(): Promise<void>
}

const everyMs = 60 * 60_000
/** Far longer than the way from a blob to the row that names it. */
const graceMs = 60 * 60_000

/** Takes away every hour the blobs that no row names any more: those of requests that were swept, of apps that are gone. */
export function startBlobSweep({ blobs, store, clock, log }: BlobSweepParts): BlobSweep {
  let gone = 0
  let due = clock.now() + everyMs // a start has just swept them all
  const pass = async (signal: AbortSignal) => {
    if (clock.now() < due) return
    due = clock.now() + everyMs
    const namedUnder = await namedBlobs(store)
    gone += await discardBlobs({ blobs, namedUnder, before: clock.now() - graceMs, log, signal })
  }
  const loop = startLoop(pass, { name: 'blob sweep', everyMs: everyMs / 60, log })
  return { swept: () => gone, stop: () => loop.stop() }
}
