import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { rm, type FileHandle } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { PieceBlobs } from '../blobs/blob-store.ts'
import { orDiskFull } from '../blobs/copy.ts'
import { algorithmOf } from '../domain/image-names.ts'
import type { Clock, Moment } from '../kit/clock.ts'
import type { ImageBlob } from '../store/registry.ts'
import type { Blocks, Piece } from './blocks.ts'
import type { Digest } from './digests.ts'
import { RegistryError } from './errors.ts'
import { PieceWriter } from './piece-writer.ts'
import { pour } from './pour.ts'

export interface UploadLimits {
  /** Of one blob. */
  readonly blobBytes: number
  /** Uploads of one account that may be open. */
  readonly openUploads: number
  /** How long one is kept to which nothing comes. */
  readonly idleMs: number
}

export interface UploadPlace {
  /** Whose it is. */
  readonly visitor: string
  readonly repository: string
}

export interface UploadParts {
  readonly blobs: PieceBlobs
  readonly clock: Clock
  readonly limits: UploadLimits
  /** Throws when the disk has no room for more. */
  readonly requireRoom: () => Promise<void>
}

/** After so many bytes it is asked again whether there is room for more. */
const roomStep = 64 * 1024 * 1024

export interface UploadFile {
  readonly id: string
  readonly place: UploadPlace
  readonly path: string
  readonly file: FileHandle
  readonly content: Digest
  readonly blocks: Blocks
}

/** A blob that is on its way here. */
export class Upload {
  readonly id: string
  readonly place: UploadPlace
  touchedAt: Moment
  /** How many bytes have come. */
  length = 0
  isBusy = false
  readonly #path: string
  readonly #file: FileHandle
  readonly #digest: Digest
  readonly #blocks: Blocks
  readonly #writer: PieceWriter
  readonly #parts: UploadParts
  readonly #forget: () => void
  #checkRoomAt = roomStep
  #refusal: Error | undefined
  /** A disk or a thread has lost what came: nothing can be made of it any more. */
  #isLost = false

  constructor({ id, place, path, file, content, blocks }: UploadFile, parts: UploadParts, forget: () => void) {
    this.id = id
    this.place = place
    this.touchedAt = parts.clock.now()
    this.#path = path
    this.#file = file
    this.#digest = content
    this.#blocks = blocks
    this.#writer = new PieceWriter(file)
    this.#parts = parts
    this.#forget = forget
  }

  /**
   * Adds what comes. What has come before the source broke stays; nothing does when it could not be kept. `isWelcome` is
   * asked again and again.
   */
  async append(source: Readable, isWelcome: () => boolean): Promise<void> {
    const seen = (chunk: Buffer) => this.#see(chunk, isWelcome)
    const store = (piece: Piece) => this.#store(piece)
    try {
      await this.#alone(() => pour(source, { blocks: this.#blocks, seen, store }))
    } catch (error) {
      if (this.#isLost) await this.drop()
      throw orDiskFull(error)
    }
  }

  /**
   * Ends it: what has come is a blob, if its digest is this one. Throws `DIGEST_INVALID` otherwise; then nothing of it is
   * left. Nothing names the blob yet.
   */
  async finish(digest: string): Promise<ImageBlob> {
    const made = await this.#alone(async () => {
      const key = await this.#digest.sha256()
      const found = algorithmOf(digest) === 'sha256' ? `sha256:${key}` : `sha512:${await sha512Of(this.#path)}`
      if (found !== digest) return found
      await this.#parts.blobs.adopt({ path: this.#path, length: this.length, key })
      return { digest, blob: key, length: this.length }
    })
    await this.drop()
    if (typeof made === 'object') return made
    throw new RegistryError(
      'DIGEST_INVALID',
      `the digest of the ${this.length} bytes that came is ${made}, not ${digest}`,
    )
  }

  /** Ends it without a blob. */
  async drop(): Promise<void> {
    this.#forget()
    this.#digest.forget()
    await this.#file.close()
    await rm(this.#path, { force: true })
  }

  #see({ length }: Buffer, isWelcome: () => boolean): void {
    const { blobBytes } = this.#parts.limits
    if (!isWelcome()) throw new RegistryError('UNAUTHORIZED', 'the key was revoked')
    if (this.length + length > blobBytes) throw tooLarge(blobBytes)
    if (this.#refusal !== undefined) throw this.#refusal
    this.length += length
    if (this.length >= this.#checkRoomAt) this.#checkRoom()
  }

  /** Settles when nobody looks at the piece any more. */
  async #store(piece: Piece): Promise<void> {
    const outcomes = await Promise.allSettled([this.#digest.update(piece), this.#writer.write(piece)])
    for (const outcome of outcomes) {
      if (outcome.status === 'fulfilled') continue
      this.#isLost = true
      throw outcome.reason
    }
  }

  /** Bytes go on coming meanwhile: it is a disk that is looked at, and there is room for some. */
  #checkRoom(): void {
    this.#checkRoomAt = this.length + roomStep
    this.#parts.requireRoom().catch((error: Error) => (this.#refusal = error))
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    if (this.isBusy) throw new RegistryError('TOOMANYREQUESTS', 'another request is working on this upload')
    this.isBusy = true
    try {
      return await work()
    } finally {
      this.isBusy = false
      this.touchedAt = this.#parts.clock.now()
    }
  }
}

function tooLarge(limit: number): RegistryError {
  return new RegistryError(
    'SIZE_INVALID',
    `the blob is larger than the limit of ${limit} bytes (CARRICK_IMAGE_BLOB_LIMIT)`,
  )
}

async function sha512Of(path: string): Promise<string> {
  const hash = createHash('sha512')
  await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash)
  return hash.digest('hex')
}
