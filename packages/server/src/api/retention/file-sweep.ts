import { discardBlobs } from '../../blobs/sweep.ts'
import type { LocalBlobs } from '../../blobs/local-blobs.ts'
import type { EnvironmentId } from '../../domain/ids.ts'
import type { Clock, Moment } from '../../kit/clock.ts'
import type { Logger } from '../../kit/logger.ts'
import { startLoop } from '../../kit/loop.ts'
import { namedByRows } from '../../store/blobs.ts'
import type { Store } from '../../store/store.ts'

interface FileSweepParts {
  readonly blobs: Pick<LocalBlobs, 'prefixes' | 'keysUnder' | 'discard'>
  readonly store: Store
  readonly clock: Clock
  readonly log: Logger
  readonly environments: {
    /** Takes away what is not named and nobody asked for since then. Answers how many. */
    sweep(named: ReadonlySet<EnvironmentId>, before: Moment): Promise<number>
  }
}

/** What went, by kind. */
export interface SweptFiles {
  readonly blobs: number
  readonly environments: number
}

export interface FileSweep {
  /** What went since the start. */
  swept(): SweptFiles
  stop(): Promise<void>
}

const everyMs = 60 * 60_000
/** Far longer than the way from a blob to the row that names it. */
const graceMs = 60 * 60_000
/** To build one again takes minutes; to keep those of experiments fills disks. */
const unusedEnvironmentMs = 30 * 24 * 60 * 60_000

/** Takes away every hour the files that no row names any more: of requests that were swept, of apps and runs that are gone. */
export function startFileSweep(parts: FileSweepParts): FileSweep {
  const { clock, log } = parts
  let gone: SweptFiles = { blobs: 0, environments: 0 }
  let due = clock.now() + everyMs // a start has just swept blobs
  const pass = async (signal: AbortSignal) => {
    if (clock.now() < due) return
    due = clock.now() + everyMs
    const went = await sweepFiles(parts, signal)
    gone = { blobs: gone.blobs + went.blobs, environments: gone.environments + went.environments }
  }
  const loop = startLoop(pass, { name: 'file sweep', everyMs: everyMs / 60, log })
  return { swept: () => gone, stop: () => loop.stop() }
}

/** One look at all of them, at leisure. */
export async function sweepFiles(
  { blobs, environments, store, clock, log }: FileSweepParts,
  signal: AbortSignal,
): Promise<SweptFiles> {
  const named = await namedByRows(store)
  const before = clock.now() - graceMs
  return {
    blobs: await discardBlobs({ blobs, namedUnder: named.blobsUnder, before, log, signal }),
    environments: await environments.sweep(named.environments, clock.now() - unusedEnvironmentMs),
  }
}
