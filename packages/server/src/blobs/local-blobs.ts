import { randomUUID } from 'node:crypto'
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { BlobKey } from '../domain/ids.ts'
import { syncFolder } from '../kit/files.ts'
import type { BlobStore, LastingBlobs } from './blob-store.ts'
import { copy, orDiskFull, shards } from './copy.ts'
import { blobPath, isBlobKey } from './places.ts'

/**
 * Blobs as files of one folder, which belongs to this process alone: `ab/abcdef…` holds the bytes whose SHA-256 is
 * `abcdef…`, `incoming/` what is not whole yet.
 */
export async function openLocalBlobs({ folder }: { folder: string }): Promise<LocalBlobs> {
  // Whoever was writing here is gone: the data folder has one server at a time.
  await rm(join(folder, 'incoming'), { recursive: true, force: true })
  await mkdir(join(folder, 'incoming'), { recursive: true })
  await Promise.all(shards.map((shard) => mkdir(join(folder, shard), { recursive: true })))
  await syncFolder(folder)
  return new LocalBlobs(folder)
}

export class LocalBlobs implements LastingBlobs {
  /** What keys begin with: together they lead to all blobs. */
  readonly prefixes = shards
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  async put(source: Readable | Uint8Array, limit = Infinity): Promise<{ key: BlobKey; length: number }> {
    const draft = join(this.#folder, 'incoming', randomUUID())
    try {
      const { key, length } = await this.#write(draft, source, limit)
      // Also when the blob is there already: then it may not have been synced yet by whoever is putting it.
      await rename(draft, this.pathOf(key))
      await syncFolder(join(this.#folder, shardOf(key)))
      return { key, length }
    } catch (error) {
      await rm(draft, { force: true })
      throw orDiskFull(error)
    }
  }

  async open(key: BlobKey): Promise<Readable> {
    const file = await open(this.pathOf(key), 'r')
    return file.createReadStream()
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

  /** For a blob that nothing names. */
  async remove(key: BlobKey): Promise<void> {
    await rm(this.pathOf(key))
  }

  async #write(draft: string, source: Readable | Uint8Array, limit: number): Promise<{ key: BlobKey; length: number }> {
    await using file = await open(draft, 'wx', 0o600)
    const { digest, length } = await copy(source, file, { limit, algorithm: 'sha256' })
    await file.sync()
    return { key: digest, length }
  }
}

function shardOf(key: BlobKey): string {
  return key.slice(0, 2)
}
