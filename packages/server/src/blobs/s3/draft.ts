import { createHash, randomUUID } from 'node:crypto'
import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { copyHashed, orDiskFull } from '../copy.ts'

/**
 * What is on its way to the object store. It waits in a file: so a slow sender holds no connection there, a failed
 * attempt can be made again, and its checksum is known before the first byte goes out.
 */
export interface Draft extends AsyncDisposable {
  readonly path: string
  readonly length: number
  readonly sha256: string
  readonly md5: string
}

/** Empties the folder: nobody sends the rest any more of what a former process was taking in. */
export async function openDrafts(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true, mode: 0o700 })
}

/** Takes in a stream of at most `limit` bytes. Rejects with `body_too_large` and `disk_full`; then nothing is left. */
export async function draftOf(folder: string, source: Readable | Uint8Array, limit: number): Promise<Draft> {
  const path = join(folder, randomUUID())
  const dispose = () => rm(path, { force: true })
  try {
    return { path, ...(await taken(path, source, limit)), [Symbol.asyncDispose]: dispose }
  } catch (error) {
    await dispose()
    throw orDiskFull(error)
  }
}

async function taken(path: string, source: Readable | Uint8Array, limit: number) {
  await using file = await open(path, 'wx', 0o600)
  const [sha256, md5] = [createHash('sha256'), createHash('md5')]
  const length = await copyHashed(source, file, { limit, hashes: [sha256, md5] })
  return { length, sha256: sha256.digest('hex'), md5: md5.digest('hex') }
}
