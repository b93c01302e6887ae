import { setTimeout as rest } from 'node:timers/promises'
import type { Logger } from '../kit/logger.ts'
import { CarrickError } from '../domain/errors.ts'
import type { Store, Write } from '../store/store.ts'

const firstRestMs = 100
const longestRestMs = 5_000

/** Commits what must not be lost: while the store has no room for it, it waits. Rejects when the signal says so, or for a bug. */
export async function persist<T>(
  write: Write<T>,
  { store, log, signal }: { store: Store; log: Logger; signal: AbortSignal },
): Promise<T> {
  for (let restMs = firstRestMs; ; restMs = Math.min(2 * restMs, longestRestMs)) {
    try {
      return await store.commit(write)
    } catch (error) {
      if (!hasNoRoom(error)) throw error
      log.warn({ err: error, restMs }, 'the store has no room: an outcome waits in memory until there is')
      await rest(restMs, undefined, { signal })
    }
  }
}

function hasNoRoom(error: unknown): boolean {
  return error instanceof CarrickError && (error.code === 'disk_full' || error.code === 'too_busy')
}
