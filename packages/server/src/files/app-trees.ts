import { constants } from 'node:fs'
import { chmod, copyFile, mkdir, realpath, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { BlobKey, RevisionId } from '../domain/ids.ts'
import type { AppFile } from '../domain/revision.ts'

/** The files of revisions as folders, each made when its first runner starts. */
export interface AppTrees {
  /** Where the files of a revision are, under their names and with their modes. */
  folderOf(revision: RevisionId, files: readonly AppFile[]): Promise<string>
}

/** Opens the folder and empties it: no runner of a former server process is to see what stands there. */
export async function openAppTrees({
  folder,
  blobs,
}: {
  readonly folder: string
  readonly blobs: { pathOf(key: BlobKey): string | Promise<string> }
}): Promise<AppTrees> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const real = await realpath(folder)
  const made = new Map<RevisionId, Promise<string>>()

  async function make(revision: RevisionId, files: readonly AppFile[]): Promise<string> {
    const draft = join(real, `${revision}.draft`)
    await rm(draft, { recursive: true, force: true })
    await mkdir(draft)
    for (const { path, mode, blob } of files) {
      const place = join(draft, path)
      await mkdir(dirname(place), { recursive: true })
      await copyFile(await blobs.pathOf(blob), place, constants.COPYFILE_FICLONE)
      await chmod(place, (mode & 0o777) | 0o444) // its runners have to read it, whoever they are; nobody else enters the folder
    }
    await rename(draft, join(real, revision))
    return join(real, revision)
  }

  return {
    folderOf(revision, files) {
      const making = made.get(revision) ?? make(revision, files)
      made.set(revision, making)
      making.catch(() => made.delete(revision))
      return making
    },
  }
}
