import { setTimeout as rest } from 'node:timers/promises'
import type { Moment } from '../kit/clock.ts'
import type { Logger } from '../kit/logger.ts'

/** A folder of files under names of hexadecimal digits. */
export interface Sweepable {
  /** What keys begin with: together they lead to all of them. */
  readonly prefixes: readonly string[]
  keysUnder(prefix: string): Promise<readonly string[]>
  /** For what nothing names. */
  remove(key: string): Promise<void>
}

interface SweepParts {
  readonly blobs: Sweepable
  /** Those that a row names, of the keys that begin with these digits. */
  readonly namedUnder: (prefix: string) => Promise<ReadonlySet<string>>
  readonly log: Logger
}

/**
 * Deletes the blobs that no row names: a crash, a refused write or a caller that left came between the blob and its row.
 * For the start only: a blob that is being put has no row yet. What cannot be deleted now is left for the next start.
 */
export async function sweepBlobs(parts: SweepParts): Promise<void> {
  const prefixes = parts.blobs.prefixes.values() // shared: each takes the next
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const prefix of prefixes) await sweepUnder(prefix, parts)
    }),
  )
}

/** They may be far away. */
const atOnce = 8

async function sweepUnder(prefix: string, { blobs, namedUnder, log }: SweepParts): Promise<void> {
  const keys = await blobs.keysUnder(prefix)
  const named = keys.length === 0 ? new Set() : await namedUnder(prefix)
  for (const key of keys.filter((each) => !named.has(each))) {
    await blobs
      .remove(key)
      .catch((error: unknown) => log.warn({ err: error, key }, 'a blob that nothing names could not be deleted'))
  }
}

interface DiscardParts extends Omit<SweepParts, 'blobs'> {
  readonly blobs: Pick<Sweepable, 'prefixes' | 'keysUnder'> & {
    discard(key: string, before: Moment): Promise<boolean>
  }
  /** What was put later stays: its row may be on the way. */
  readonly before: Moment
  readonly signal: AbortSignal
}

/** Between two prefixes: nobody waits for this. */
const restMs = 100

/** The same while blobs are put and read, at leisure. Answers how many went. */
export async function discardBlobs({ blobs, namedUnder, before, log, signal }: DiscardParts): Promise<number> {
  let gone = 0
  for (const prefix of blobs.prefixes) {
    if (signal.aborted) break
    const keys = await blobs.keysUnder(prefix)
    if (keys.length === 0) continue
    const named = await namedUnder(prefix)
    for (const key of keys.filter((each) => !named.has(each))) {
      const went = await blobs.discard(key, before).catch((error: unknown) => {
        log.warn({ err: error, key }, 'a blob that nothing names could not be deleted')
        return false
      })
      if (went) gone += 1
    }
    await rest(restMs, undefined, { signal }).catch(() => {})
  }
  return gone
}
