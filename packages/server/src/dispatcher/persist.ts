import { setTimeout as rest } from 'node:timers/promises'
import type { Logger } from '../kit/logger.ts'
import { CarrickError } from '../domain/errors.ts'
import type { Read, Store, Write } from '../store/store.ts'

const firstRestMs = 100
const longestRestMs = 5_000

interface Patience {
  readonly store: Store
  readonly log: Logger
  readonly signal: AbortSignal
}

/** Commits what must not be lost: while the store has no room for it, it waits. Rejects when the signal says so, or for a bug. */
export function persist<T>(write: Write<T>, parts: Patience): Promise<T> {
  return whenThereIsRoom(() => parts.store.commit(write), parts)
}

/** Reads what an attempt needs, on the same terms. */
export function readPatiently<T>(read: Read<T>, parts: Patience): Promise<T> {
  return whenThereIsRoom(() => parts.store.read(read), parts)
}

async function whenThereIsRoom<T>(work: () => Promise<T>, { log, signal }: Patience): Promise<T> {
  for (let restMs = firstRestMs; ; restMs = Math.min(2 * restMs, longestRestMs)) {
    try {
      return await work()
    } catch (error) {
      if (!hasNoRoom(error)) throw error
      log.warn({ err: error, restMs }, 'the store has no room: a request waits in memory until there is')
      await rest(restMs, undefined, { signal })
    }
  }
}

function hasNoRoom(error: unknown): boolean {
  return error instanceof CarrickError && (error.code === 'disk_full' || error.code === 'too_busy')
}
