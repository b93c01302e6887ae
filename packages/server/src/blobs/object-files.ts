import { mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { Slice, Whole } from '../domain/object.ts'
import { syncFolder } from '../kit/files.ts'
import { copy, orDiskFull, shards } from './copy.ts'
import { isObjectFile, newObjectFile, objectPath } from './places.ts'
import type { Sweepable } from './sweep.ts'

/** A stored file, and its bytes as S3 tells of them: the etag is their MD5. */
export interface StoredFile extends Whole {
  readonly file: string
}

/**
 * The bytes of uploads, in files of this installation's own. Unlike blobs they are shared by nobody: what is deleted is gone
 * at once, however equal another upload may be.
 */
export interface ObjectFiles {
  /** Stores a stream of at most `limit` bytes, without holding it in memory. Rejects with `body_too_large` beyond it, `disk_full` when there is no room, `storage_unavailable` when they are kept elsewhere and it cannot be reached. */
  put(source: Readable | Uint8Array, limit: number): Promise<StoredFile>
  /** Rejects when it is not there. Whoever opens it reads it to the end or destroys it. */
  open(slice: Slice): Promise<Readable>
  /** What is gone already is no error. */
  remove(file: string): Promise<void>
}

/** `ab/abcdef…` holds what is whole, `incoming/` what is not: whatever that was, nobody sends the rest of it any more. */
export async function openObjectFiles({ folder }: { folder: string }): Promise<ObjectFiles & Sweepable> {
  const incoming = join(folder, 'incoming')
  await rm(incoming, { recursive: true, force: true })
  await mkdir(incoming, { recursive: true, mode: 0o700 })
  await Promise.all(shards.map((shard) => mkdir(join(folder, shard), { recursive: true })))
  await syncFolder(folder)

  const pathOf = (file: string) => join(folder, objectPath(file))
  return {
    prefixes: shards,
    async put(source, limit) {
      const file = newObjectFile()
      const draft = join(incoming, file)
      try {
        const { digest, length } = await write(source, draft, limit)
        await rename(draft, pathOf(file))
        await syncFolder(join(folder, file.slice(0, 2)))
        return { file, length, etag: digest }
      } catch (error) {
        await rm(draft, { force: true })
        throw orDiskFull(error)
      }
    },
    async open({ file, start, end }) {
      const handle = await open(pathOf(file), 'r')
      return handle.createReadStream({ start, end })
    },
    remove: (file) => rm(pathOf(file), { force: true }),
    keysUnder: async (prefix) => (await readdir(join(folder, prefix))).filter(isObjectFile),
  }
}

async function write(source: Readable | Uint8Array, draft: string, limit: number) {
  await using file = await open(draft, 'wx', 0o600)
  const copied = await copy(source, file, { limit, algorithm: 'md5' })
  await file.sync()
  return copied
}
