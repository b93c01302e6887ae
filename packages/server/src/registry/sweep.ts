/**
 * Takes away the images that nothing leads to: no tag, no other image, no environment that an app may run in. Reads and
 * deletes rows, a few at a time; the bytes go with the next sweep of blobs, when no row names them any more. One at a
 * time per installation.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { forgetImageBlobs, forgetManifest, unnamedManifests, type ManifestRow } from '../store/registry-sweep.ts'
import type { RegistryDeps } from './deps.ts'

/** What went. */
export interface SweptImages {
  readonly manifests: number
  readonly blobs: number
}

type SweepParts = Pick<RegistryDeps, 'store' | 'clock' | 'graceMs' | 'pinned'>

/** One look, until nothing is left that nothing leads to. */
export async function sweepImages(parts: SweepParts, signal: AbortSignal): Promise<SweptImages> {
  let manifests = 0
  // What only an index led to is found by the next look.
  for (let went = -1; went !== 0 && !signal.aborted; manifests += went) went = await sweepManifests(parts, signal)
  return { manifests, blobs: await sweepBlobs(parts, signal) }
}

const step = 200

async function sweepManifests({ store, clock, graceMs, pinned }: SweepParts, signal: AbortSignal): Promise<number> {
  const before = clock.now() - graceMs
  let gone = 0
  let page: readonly ManifestRow[] = []
  let last: ManifestRow = { repository: '', digest: '' }
  do {
    page = await store.read(unnamedManifests(before, last, step))
    last = page.at(-1) ?? last
    const kept = await pinned(page.map(({ digest }) => digest))
    for (const row of page.filter(({ digest }) => !kept.has(digest)))
      if (await store.commit(forgetManifest(row, before))) gone += 1
  } while (page.length === step && !signal.aborted)
  return gone
}

async function sweepBlobs({ store, clock, graceMs }: SweepParts, signal: AbortSignal): Promise<number> {
  const before = clock.now() - graceMs
  let gone = 0
  for (let went = step; went === step && !signal.aborted; gone += went) {
    went = await store.commit(forgetImageBlobs(before, step))
    await turn()
  }
  return gone
}
