import { randomBytes } from 'node:crypto'
import { readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { diskUsage } from '../kit/disk-usage.ts'

/** A folder of downloads that can be made again. */
export interface Cache {
  readonly folder: string
  readonly bytes: number | undefined
}

interface DropHow {
  readonly dryRun: boolean
  /** Whether nobody builds: whoever does is in the middle of these folders. */
  readonly isIdle: () => boolean
  readonly signal: AbortSignal
}

/** What uv and micromamba keep, and what was put aside by somebody who then ended. Tools stay. */
const isCache = (name: string) => /^(?:uv|micromamba)(?:\.[0-9a-f]{8})?$/.test(name)

/** Takes the caches below a folder away, unless somebody builds. Answers what there is, or was. */
export async function dropCaches(cacheFolder: string, { dryRun, isIdle, signal }: DropHow): Promise<readonly Cache[]> {
  if (!isIdle()) return []
  const names = (await readdir(cacheFolder).catch(() => [])).filter(isCache)
  const folders = names.map((name) => join(cacheFolder, name))
  const sizes = await diskUsage(folders, signal)
  const caches = folders.map((folder) => ({ folder, bytes: sizes.get(folder) }))
  if (dryRun) return caches
  if (!isIdle()) return [] // somebody began meanwhile
  for (const folder of folders) {
    const aside = `${folder.replace(/\.[0-9a-f]{8}$/, '')}.${randomBytes(4).toString('hex')}`
    await rename(folder, aside) // whoever builds from here on has a new one
    await rm(aside, { recursive: true, force: true })
  }
  return caches
}
