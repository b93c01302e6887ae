import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceFile } from '../kit/files.ts'

interface Folders {
  readonly blobs: string
  readonly objects: string
}

/**
 * Keeps a data folder from being used with its large bodies somewhere else than they are: what rows name would be missing.
 * `address` is that of a bucket, or empty for the data folder itself. Throws a sentence that says what to do.
 */
export async function requireWhereabouts(folders: Folders, address: string): Promise<void> {
  const noted = await readFile(noteIn(folders), 'utf8').catch(unlessThere(''))
  if (noted === address) return
  if (noted !== '') throw new Error(`${keptAt(noted)}: set CARRICK_BLOBS to that. ${howToMoveBack(folders, noted)}`)
  if (await holdsSomething(folders)) throw new Error(`CARRICK_BLOBS is ${address}, and ${howToMove(folders, address)}`)
}

/** Says so, once they are there. */
export async function noteWhereabouts(folders: Folders, address: string): Promise<void> {
  await replaceFile(noteIn(folders), address)
}

const noteIn = ({ blobs }: Folders) => join(blobs, 'kept-elsewhere')

const keptAt = (address: string) => `The large bodies and uploads of this data folder are kept at ${address}`

const howToMoveBack = (folders: Folders, address: string) =>
  `To move them back, copy ${address}/blobs to ${folders.blobs} and ${address}/objects to ${folders.objects}, ` +
  `and delete ${noteIn(folders)}`

const howToMove = ({ blobs, objects }: Folders, address: string) =>
  `this data folder has large bodies or uploads of its own. Copy them there (aws s3 sync ${blobs} ${address}/blobs; ` +
  `aws s3 sync ${objects} ${address}/objects), move both folders away, and start again`

async function holdsSomething({ blobs, objects }: Folders): Promise<boolean> {
  for (const folder of [blobs, objects]) {
    const names = await readdir(folder, { recursive: true }).catch(unlessThere<string[]>([]))
    if (names.some((name) => /^..\/[0-9a-f]{40,64}$/.test(name))) return true
  }
  return false
}

function unlessThere<T>(otherwise: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === 'ENOENT') return otherwise
    throw error
  }
}
