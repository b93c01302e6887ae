import { createHash, randomUUID, type Hash } from 'node:crypto'
import { mkdir, open, rename, rm, statfs } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { CarrickError } from '../domain/errors.ts'
import { inFolder } from './beneath.ts'
import { clearFolder } from './clear-folder.ts'

/** A file that is whole and on disk, and has no place yet. */
export interface Draft extends AsyncDisposable {
  readonly path: string
  readonly length: number
  readonly md5: string
}

export type Bytes = AsyncIterable<Uint8Array>

/** What is not yet, or no longer, part of an account's folder. On the same disk, so that a rename puts it in place. */
export interface Staging {
  /** Takes in a stream of at most `limit` bytes. Throws `body_too_large` beyond, `disk_full` without room; then nothing is left. */
  receive(source: Bytes, limit: number): Promise<Draft>
  /** An empty folder. */
  folder(): Promise<{ readonly path: string } & AsyncDisposable>
  /** Takes a name out of its folder at once, and then deletes all of it. */
  discard(folder: FileHandle, name: string): Promise<void>
}

/** Opens the folder and empties it: whoever was writing here is gone. `keepFree` bytes of the disk are never taken. */
export async function openStaging({ folder, keepFree }: { folder: string; keepFree: number }): Promise<Staging> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const fresh = () => join(folder, randomUUID())
  return {
    async receive(source, limit) {
      await requireRoom(folder, keepFree)
      const path = fresh()
      const dispose = () => rm(path, { force: true })
      try {
        return { path, ...(await written(path, source, limit)), [Symbol.asyncDispose]: dispose }
      } catch (error) {
        await dispose()
        throw orFull(error)
      }
    },
    async folder() {
      const path = fresh()
      await mkdir(path, { mode: 0o755 })
      return { path, [Symbol.asyncDispose]: () => clearFolder(path) }
    },
    async discard(from, name) {
      const path = fresh()
      await mkdir(path, { mode: 0o700 })
      await rename(inFolder(from, name), join(path, 'discarded'))
      await clearFolder(path)
    },
  }
}

async function written(path: string, source: Bytes, limit: number) {
  await using file = await open(path, 'wx', 0o644)
  const hash = createHash('md5') // what the stock client compares; nothing is secured by it
  const length = await copied(source, file, hash, limit)
  await file.sync()
  return { length, md5: hash.digest('hex') }
}

async function copied(source: Bytes, file: FileHandle, hash: Hash, limit: number): Promise<number> {
  let length = 0
  for await (const chunk of source) {
    length += chunk.length
    if (length > limit)
      throw new CarrickError('body_too_large', `The file is larger than ${limit} bytes (CARRICK_FILE_LIMIT)`)
    hash.update(chunk)
    await file.writeFile(chunk)
  }
  return length
}

async function requireRoom(folder: string, keepFree: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder)
  if (bavail * bsize < keepFree) throw full()
}

/** The error as it is, or `disk_full` in its place. */
export function orFull(error: unknown): unknown {
  const isFull = error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')
  return isFull ? full(error) : error
}

const full = (cause?: unknown) =>
  new CarrickError(
    'disk_full',
    'The disk of the server is full (CARRICK_KEEP_FREE): nothing was stored. Delete something first',
    {
      cause,
    },
  )
