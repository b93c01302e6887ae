import { randomUUID } from 'node:crypto'
import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { BlobKey } from '../domain/ids.ts'
import { systemClock, type Clock, type Moment } from '../kit/clock.ts'
import { syncFolder } from '../kit/files.ts'
import type { AboutBlob, BlobDraft, BlobRange, BlobStore, LastingBlobs, PieceBlobs } from './blob-store.ts'
import { copy, isDiskLost, orDiskFull, shards } from './copy.ts'
import { blobPath, isBlobKey } from './places.ts'

/**
 * Blobs as files of one folder, which belongs to this process alone: `ab/abcdef…` holds the bytes whose SHA-256 is
 * `abcdef…`, `incoming/` what is not whole yet.
 */
export async function openLocalBlobs({ folder, ...options }: LocalBlobOptions): Promise<LocalBlobs> {
  // Whoever was writing here is gone: the data folder has one server at a time.
  await rm(join(folder, 'incoming'), { recursive: true, force: true })
  await mkdir(join(folder, 'incoming'), { recursive: true })
  await Promise.all(shards.map((shard) => mkdir(join(folder, shard), { recursive: true })))
  await syncFolder(folder)
  return new LocalBlobs({ folder, clock: systemClock(), onFatal: () => process.exit(1), ...options })
}

interface LocalBlobOptions {
  readonly folder: string
  /** What to do when the disk fails, a sync above all. The default ends the process: the next start recovers. */
  readonly onFatal?: (error: Error) => void
  /** By which `discard` tells what is old: the machine's own may be stepped between two looks. */
  readonly clock?: Clock
}

export class LocalBlobs implements LastingBlobs, PieceBlobs {
  /** What keys begin with: together they lead to all blobs. */
  readonly prefixes = shards
  readonly #folder: string
  readonly #onFatal: (error: Error) => void
  readonly #clock: Clock
  /** What is being discarded, and what is put in place meanwhile: whoever comes second waits, or leaves it. */
  readonly #discarding = new Map<BlobKey, Promise<boolean>>()
  readonly #placing = new Map<BlobKey, number>()

  constructor({ folder, onFatal, clock }: Required<LocalBlobOptions>) {
    this.#folder = folder
    this.#onFatal = onFatal
    this.#clock = clock
  }

  async put(source: Readable | Uint8Array, limit = Infinity): Promise<{ key: BlobKey; length: number }> {
    const draft = this.draftPath()
    try {
      const { key, length } = await this.#write(draft, source, limit)
      await this.#place(draft, key)
      return { key, length }
    } catch (error) {
      if (isDiskLost(error)) this.#onFatal(error)
      await rm(draft, { force: true })
      throw orDiskFull(error)
    }
  }

  async open(key: BlobKey): Promise<Readable> {
    const file = await open(this.pathOf(key), 'r')
    return file.createReadStream()
  }

  async openRange(key: BlobKey, { start, end }: BlobRange): Promise<Readable> {
    const file = await open(this.pathOf(key), 'r')
    return file.createReadStream({ start, end })
  }

  openFile(key: BlobKey): Promise<FileHandle> {
    return open(this.pathOf(key), 'r')
  }

  draftPath(): string {
    return join(this.#folder, 'incoming', randomUUID())
  }

  async adopt({ path, key }: BlobDraft): Promise<void> {
    try {
      await this.#sync(path)
      await this.#place(path, key)
    } catch (error) {
      if (isDiskLost(error)) this.#onFatal(error)
      throw orDiskFull(error)
    }
  }

  pathOf(key: BlobKey): string {
    return join(this.#folder, blobPath(key))
  }

  /** What is here needs no patience. */
  patient(): BlobStore {
    return this
  }

  async keysUnder(prefix: string): Promise<readonly BlobKey[]> {
    const names = await readdir(join(this.#folder, prefix))
    return names.filter(isBlobKey)
  }

  /** When it was put, and how long it is. */
  async aboutOf(key: BlobKey): Promise<AboutBlob> {
    const { mtimeMs, size } = await stat(this.pathOf(key))
    return { putAt: mtimeMs, length: size }
  }

  /** For a blob that nothing names. */
  async remove(key: BlobKey): Promise<void> {
    await rm(this.pathOf(key))
  }

  /**
   * For a blob that nothing names while others are put: takes it away unless it was put after `before`, because its row
   * may be on the way. Answers whether it did.
   */
  async discard(key: BlobKey, before: Moment): Promise<boolean> {
    if (this.#placing.has(key) || this.#discarding.has(key)) return false
    const done = this.#discard(key, before)
    this.#discarding.set(key, done)
    return done.finally(() => this.#discarding.delete(key))
  }

  async #discard(key: BlobKey, before: Moment): Promise<boolean> {
    const { mtimeMs } = await stat(this.pathOf(key))
    if (mtimeMs >= before) return false
    await rm(this.pathOf(key))
    return true
  }

  async #place(draft: string, key: BlobKey): Promise<void> {
    await this.#discarding.get(key)?.catch(() => {}) // whoever discards is told
    this.#placing.set(key, (this.#placing.get(key) ?? 0) + 1)
    try {
      // Also when the blob is there already: then it may not have been synced yet by whoever is putting it.
      await rename(draft, this.pathOf(key))
      await syncFolder(join(this.#folder, shardOf(key)))
    } finally {
      const others = (this.#placing.get(key) ?? 1) - 1
      if (others === 0) this.#placing.delete(key)
      else this.#placing.set(key, others)
    }
  }

  async #write(draft: string, source: Readable | Uint8Array, limit: number): Promise<{ key: BlobKey; length: number }> {
    await using file = await open(draft, 'wx', 0o600)
    const { digest, length } = await copy(source, file, { limit, algorithm: 'sha256' })
    await this.#last(file)
    return { key: digest, length }
  }

  async #sync(draft: string): Promise<void> {
    await using file = await open(draft, 'r+')
    await this.#last(file)
  }

  async #last(file: FileHandle): Promise<void> {
    const putAt = this.#clock.now() / 1_000
    await file.utimes(putAt, putAt)
    await file.sync()
  }
}

function shardOf(key: BlobKey): string {
  return key.slice(0, 2)
}
