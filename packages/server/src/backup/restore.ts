/**
 * Restore: the archive of a backup becomes a data folder. Reads a stream, writes a folder that was new or empty, on which no
 * server starts before all of it is there and right.
 */
import { execFile } from 'node:child_process'
import { mkdir, realpath, rm, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { openRestoringFolder } from '../access/data-folder.ts'
import { openEncryptionKey } from '../access/encryption-key.ts'
import { systemClock } from '../kit/clock.ts'
import { uuidv7 } from '../kit/ids.ts'
import { silent } from '../kit/logger.ts'
import { renameInstallation } from '../store/accounts.ts'
import { knownMigrations } from '../store/migrations.ts'
import { openSqliteStore } from '../store/sqlite/index.ts'
import { damageOf } from '../store/sqlite/whole.ts'
import { ArchiveReader, refusal } from './archive-reader.ts'
import type { Progress } from './backup.ts'
import type { Head } from './layout.ts'
import { unpackFrom } from './packing.ts'

export interface RestoreOptions {
  readonly from: Readable
  /** New, or empty. */
  readonly folder: string
  readonly passphrase?: string | undefined
  /** Whether the server that this was a backup of never runs again, and this one goes on under its name: then its bucket is this one's. */
  readonly replacesOriginal: boolean
  readonly onProgress: (progress: Progress) => void
  readonly signal: AbortSignal
}

export interface Restored extends Progress {
  readonly head: Head
}

/** Restores a backup. Throws a sentence when it is not whole, damaged, or not one; then nothing of it is left. */
export async function restore({ folder, ...options }: RestoreOptions): Promise<Restored> {
  const target = await openRestoringFolder(folder)
  try {
    const restored = await restoreInto(await realpath(target.path), options)
    await promisify(execFile)('sync', ['-f', target.path])
    await target.finish()
    return restored
  } catch (error) {
    await target.giveUp()
    throw error
  }
}

async function restoreInto(folder: string, options: Omit<RestoreOptions, 'folder'>): Promise<Restored> {
  const { from, passphrase, replacesOriginal, onProgress, signal } = options
  const done = { files: 0, bytes: 0, ofBytes: 0 }
  const notes = join(folder, 'backing-up')
  await mkdir(notes, { mode: 0o700 })
  const reader = new ArchiveReader({
    folder,
    notes,
    async onHead(head) {
      requireKnown(head)
      await requireRoom(folder, head)
      done.ofBytes = head.bytes
    },
    onFile(bytes) {
      done.files += 1
      done.bytes += bytes
      onProgress(done)
    },
  })
  const head = await unpackFrom(from, { passphrase, signal }, (archive) => reader.read(archive)).catch(inWords)
  await rm(notes, { recursive: true })
  await checkStore(folder, replacesOriginal)
  return { head, ...done }
}

/** What decompression, decryption and the reader of the archive say of bytes that they cannot read. */
function inWords(error: unknown): never {
  const isOurs =
    !(error instanceof Error) || error.name === 'Refusal' || error.name === 'Interruption' || 'syscall' in error
  throw isOurs ? error : refusal(`it is damaged, not whole, or no backup at all (${error.message})`, error)
}

function requireKnown({ schema, carrick }: Head): void {
  const newest = Math.max(...knownMigrations().map(({ number }) => number))
  if (schema > newest)
    throw refusal(`it was made by a newer version of Carrick (${carrick}): restore it with that version`)
}

async function requireRoom(folder: string, { bytes }: Head): Promise<void> {
  const { bavail, bsize } = await statfs(folder)
  if (bytes > bavail * bsize)
    throw refusal(`it unpacks to ${bytes} bytes, and the disk of ${dirname(folder)} has room for ${bavail * bsize}`)
}

/** The store opens, and its key is the right one. The installation gets an id of its own, so that it touches nothing of the first one. */
async function checkStore(folder: string, replacesOriginal: boolean): Promise<void> {
  const file = join(folder, 'carrick.sqlite')
  const damage = damageOf(file)
  if (damage !== undefined) throw refusal(`its database is damaged (${damage})`)
  const store = await openSqliteStore({ file, log: silent })
  try {
    await openEncryptionKey(store, join(folder, 'encryption.key'))
    if (!replacesOriginal) await store.commit(renameInstallation(uuidv7(systemClock())))
  } finally {
    await store.close()
  }
}
