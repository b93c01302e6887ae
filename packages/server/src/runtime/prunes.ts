import type { Prune, PruneHow, Pruned } from '../api/system/keeping.ts'
import type { LocalBuilder } from '../builder/local-builder.ts'
import type { EnvironmentId } from '../domain/ids.ts'
import type { Foundation } from '../foundation.ts'
import type { Runtime } from './runtime.ts'

interface PruneParts {
  readonly foundation: Pick<Foundation, 'blobs' | 'log'>
  readonly runtime: Pick<Runtime, 'builder' | 'leftovers'>
  /** Environments that no revision names and runners have all the same. */
  readonly standIns: ReadonlySet<EnvironmentId>
}

/** All that keeps what may be needed no more, on this server. */
export function prunesOf({ foundation, runtime, standIns }: PruneParts): readonly Prune[] {
  return [pruneEnvironments(runtime.builder, standIns), pruneBlobs(foundation), runtime.leftovers]
}

function pruneEnvironments(builder: Runtime['builder'], standIns: ReadonlySet<EnvironmentId>): Prune {
  return async ({ environments, before, dryRun, signal }) => {
    const stay = new Set([...environments, ...standIns])
    const found = await builder.unneeded(stay, before, signal)
    if (!dryRun) await builder.sweep(stay, before)
    return found.map(({ id, bytes }) => ({ kind: 'environment', name: id, count: 1, bytes }))
  }
}

function pruneBlobs({ blobs, log }: PruneParts['foundation']): Prune {
  return async ({ blobsUnder, before, dryRun, signal }) => {
    let [count, bytes, isKnown] = [0, 0, true]
    for (const prefix of blobs.prefixes) {
      signal.throwIfAborted()
      const keys = await blobs.keysUnder(prefix)
      const named = keys.length === 0 ? new Set() : await blobsUnder(prefix)
      for (const key of keys.filter((each) => !named.has(each))) {
        const about = await blobs.aboutOf(key).catch(() => undefined) // gone by now
        if (about === undefined || about.putAt >= before) continue
        const went = dryRun || (await blobs.discard(key, before).catch(untold(key)))
        if (!went) continue
        count += 1
        bytes += about.length ?? 0
        isKnown &&= about.length !== undefined
      }
    }
    return count === 0 ? [] : [{ kind: 'blob', name: 'that no row names', count, bytes: isKnown ? bytes : undefined }]
  }

  function untold(key: string) {
    return (error: unknown) => {
      log.warn({ err: error, key }, 'a blob that nothing names could not be deleted')
      return false
    }
  }
}

/** What makes later builds faster, where it is this server's alone. */
export function pruneCaches(builder: Pick<LocalBuilder, 'dropCaches'> | undefined): Prune {
  return async ({ all, dryRun, signal }: PruneHow): Promise<readonly Pruned[]> => {
    if (!all || builder === undefined) return []
    const caches = await builder.dropCaches({ dryRun, signal })
    return caches.map(({ folder, bytes }) => ({ kind: 'cache', name: folder, count: 1, bytes }))
  }
}
