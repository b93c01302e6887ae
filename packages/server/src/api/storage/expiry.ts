/**
 * Takes away what has expired: uploads that are over or were never finished, and values of the key-value store.
 * Reads and deletes a few rows at a time, and deletes the files of uploads. Reading looks at the time itself, so nothing
 * waits for this. One at a time per data folder.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { droppedObjects, dropObject } from '../../store/objects.ts'
import { dropExpiredValues } from '../../store/values.ts'
import type { Deps } from '../deps.ts'
import { removeFiles } from './uploads.ts'

const stepObjects = 20
const stepValues = 500

/** One look, until nothing is left that has expired. */
export async function dropExpired(
  deps: Pick<Deps, 'store' | 'objects' | 'uploads' | 'clock' | 'log'>,
  signal: AbortSignal,
): Promise<void> {
  await deps.uploads.expire()
  while (!signal.aborted && (await dropSome(deps))) await turn()
}

/** Whether there may be more. */
async function dropSome(deps: Pick<Deps, 'store' | 'objects' | 'clock' | 'log'>): Promise<boolean> {
  const { store, clock } = deps
  const now = clock.now()
  const ids = await store.read(droppedObjects(now, stepObjects))
  for (const id of ids) await removeFiles(deps, await store.commit(dropObject(id, now)))
  const values = await store.commit(dropExpiredValues(now, stepValues))
  return ids.length === stepObjects || values === stepValues
}
