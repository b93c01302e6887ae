import { randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { access, mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { BlobKey } from '../../domain/ids.ts'
import type { Moment } from '../../kit/clock.ts'
import type { AboutBlob, BlobDraft, BlobRange, LastingBlobs, PieceBlobs } from '../blob-store.ts'
import { shards } from '../copy.ts'
import { blobPath, isBlobKey } from '../places.ts'
import type { Sweepable } from '../sweep.ts'
import { BlobTurns } from '../turns.ts'
import type { Bucket } from './bucket.ts'
import { draftOf, openDrafts } from './draft.ts'
import { openResumed, verified } from './reading.ts'
import { persistently, type Persistence } from './trouble.ts'

interface S3BlobParts extends Omit<Persistence, 'signal'> {
  readonly bucket: Bucket
  /** For what is on its way there, and for what came back for a runner. Emptied at each start. */
  readonly folder: string
}

interface Opened extends S3BlobParts {
  readonly signal: AbortSignal
  readonly turns: BlobTurns
}

/** Blobs below `blobs/` of a bucket. */
export async function openS3Blobs(parts: S3BlobParts): Promise<S3Blobs> {
  await openDrafts(join(parts.folder, 'incoming'))
  await rm(join(parts.folder, 'fetched'), { recursive: true, force: true })
  return new S3Blobs({ ...parts, turns: new BlobTurns(), signal: parts.bucket.closed })
}

const patientMs = 10 * 60_000

export class S3Blobs implements LastingBlobs, PieceBlobs, Sweepable {
  readonly prefixes = shards
  readonly #parts: Opened
  readonly #fetching = new Map<BlobKey, Promise<string>>()
  readonly #patient = new WeakMap<AbortSignal, S3Blobs>()

  constructor(parts: Opened) {
    this.#parts = parts
  }

  patient(signal: AbortSignal): S3Blobs {
    const { closed } = this.#parts.bucket
    const made = this.#patient.get(signal)
    if (made !== undefined) return made
    const blobs = new S3Blobs({ ...this.#parts, persistMs: patientMs, signal: AbortSignal.any([signal, closed]) })
    this.#patient.set(signal, blobs)
    return blobs
  }

  async put(source: Readable | Uint8Array, limit = Infinity): Promise<{ key: BlobKey; length: number }> {
    await using draft = await draftOf(join(this.#parts.folder, 'incoming'), source, limit)
    const { sha256: key, length } = draft
    const { bucket, turns } = this.#parts
    await turns.place(key, () => this.#reach(() => bucket.put(placeOf(key), draft)))
    return { key, length }
  }

  async open(key: BlobKey): Promise<Readable> {
    return verified(await this.#reach(() => openResumed(this.#parts.bucket, placeOf(key))), key)
  }

  openRange(key: BlobKey, { start, end }: BlobRange): Promise<Readable> {
    return this.#reach(() => openResumed(this.#parts.bucket, placeOf(key), start, end))
  }

  draftPath(): string {
    return join(this.#parts.folder, 'incoming', randomUUID())
  }

  async adopt({ path, key, length }: BlobDraft): Promise<void> {
    const { bucket, turns } = this.#parts
    await turns.place(key, () => this.#reach(() => bucket.put(placeOf(key), { path, length, sha256: key })))
    await rm(path, { force: true })
  }

  pathOf(key: BlobKey): Promise<string> {
    const fetching = this.#fetching.get(key) ?? this.#fetch(key)
    this.#fetching.set(key, fetching)
    const forget = () => this.#fetching.delete(key)
    fetching.then(forget, forget)
    return fetching
  }

  keysUnder(prefix: string): Promise<readonly BlobKey[]> {
    return this.#reach(async () => (await this.#parts.bucket.namesUnder(`blobs/${prefix}/`)).filter(isBlobKey))
  }

  /** When it was put; how long it is would take the bytes. */
  async aboutOf(key: BlobKey): Promise<AboutBlob> {
    return {
      putAt: (await this.#reach(() => this.#parts.bucket.modifiedAt(placeOf(key)))) ?? Infinity,
      length: undefined,
    }
  }

  remove(key: BlobKey): Promise<void> {
    return this.#reach(() => this.#parts.bucket.remove(placeOf(key)))
  }

  /**
   * For a blob that nothing names while others are put: takes it away unless it was put after `before`, because its row
   * may be on the way. Answers whether it did.
   */
  discard(key: BlobKey, before: Moment): Promise<boolean> {
    const { bucket, turns } = this.#parts
    return turns.discard(key, () =>
      this.#reach(async () => {
        const putAt = await bucket.modifiedAt(placeOf(key))
        if (putAt === undefined || putAt >= before) return false
        await bucket.remove(placeOf(key))
        return true
      }),
    )
  }

  async #fetch(key: BlobKey): Promise<string> {
    const path = join(this.#parts.folder, 'fetched', blobPath(key))
    if (await exists(path)) return path
    const draft = join(this.#parts.folder, 'incoming', randomUUID())
    try {
      await pipeline(await this.open(key), createWriteStream(draft, { mode: 0o600 }))
      await mkdir(dirname(path), { recursive: true })
      await rename(draft, path)
      return path
    } catch (error) {
      await rm(draft, { force: true })
      throw error
    }
  }

  #reach<T>(work: () => Promise<T>): Promise<T> {
    return persistently(this.#parts, work)
  }
}

const placeOf = (key: BlobKey): string => `blobs/${blobPath(key)}`

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )
