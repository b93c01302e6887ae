import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, rm, type FileHandle } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { PieceBlobs } from '../blobs/blob-store.ts'
import { orDiskFull } from '../blobs/copy.ts'
import { algorithmOf } from '../domain/image-names.ts'
import type { Clock, Moment } from '../kit/clock.ts'
import type { ImageBlob } from '../store/registry.ts'
import { Blocks, type Piece } from './blocks.ts'
import { Digests, type Digest } from './digests.ts'
import { RegistryError } from './errors.ts'
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

interface UploadParts {
  readonly blobs: PieceBlobs
  readonly clock: Clock
  readonly limits: UploadLimits
  /** Throws when the disk has no room for more. */
  readonly requireRoom: () => Promise<void>
}

/** Uploads that are under way. They are files and memory: a start of the server knows none of those before it. */
export class Uploads {
  readonly #parts: UploadParts
  readonly #open = new Map<string, Upload>()
  /** How many each visitor has, those that are being opened included. */
  readonly #counts = new Map<string, number>()
  readonly #blocks = new Blocks()
  readonly #digests = new Digests(this.#blocks)

  constructor(parts: UploadParts) {
    this.#parts = parts
  }

  /** Throws `TOOMANYREQUESTS` where the account has too many open. */
  async begin(place: UploadPlace): Promise<Upload> {
    this.#count(place.visitor, 1)
    try {
      await this.#parts.requireRoom()
      const path = this.#parts.blobs.draftPath()
      return this.#opened({
        id: newUploadId(),
        place,
        path,
        file: await open(path, 'wx', 0o600),
        content: this.#digests.open(),
        blocks: this.#blocks,
      })
    } catch (error) {
      this.#count(place.visitor, -1)
      throw error
    }
  }

  /** Throws `BLOB_UPLOAD_UNKNOWN` where there is none of this visitor in this repository. */
  find(id: string, { visitor, repository }: UploadPlace): Upload {
    const found = this.#open.get(id)
    if (found?.place.visitor === visitor && found.place.repository === repository) return found
    throw new RegistryError(
      'BLOB_UPLOAD_UNKNOWN',
      'there is no such upload: it has ended, or the server has started anew',
    )
  }

  /** Ends those to which nothing has come for long. */
  async expire(): Promise<void> {
    const before = this.#parts.clock.now() - this.#parts.limits.idleMs
    for (const upload of this.#open.values()) if (upload.touchedAt < before && !upload.isBusy) await upload.drop()
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map((upload) => upload.drop()))
    await this.#digests.close()
  }

  #opened(file: UploadFile): Upload {
    const forget = () => {
      if (this.#open.delete(file.id)) this.#count(file.place.visitor, -1)
    }
    const upload = new Upload(file, this.#parts, forget)
    this.#open.set(file.id, upload)
    return upload
  }

  #count(visitor: string, by: 1 | -1): void {
    const most = this.#parts.limits.openUploads
    const count = (this.#counts.get(visitor) ?? 0) + by
    if (count > most)
      throw new RegistryError('TOOMANYREQUESTS', `${most} uploads of yours are open: finish some, or wait an hour`)
    if (count === 0) this.#counts.delete(visitor)
    else this.#counts.set(visitor, count)
  }
}

const newUploadId = (): string => randomBytes(18).toString('base64url')

/** After so many bytes it is asked again whether there is room for more. */
const roomStep = 64 * 1024 * 1024

interface UploadFile {
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
  readonly #parts: UploadParts
  readonly #forget: () => void
  #checkRoomAt = roomStep
  #refusal: Error | undefined

  constructor({ id, place, path, file, content, blocks }: UploadFile, parts: UploadParts, forget: () => void) {
    this.id = id
    this.place = place
    this.touchedAt = parts.clock.now()
    this.#path = path
    this.#file = file
    this.#digest = content
    this.#blocks = blocks
    this.#parts = parts
    this.#forget = forget
  }

  /** Adds what comes. What has come before the source broke stays. `isWelcome` is asked again and again. */
  append(source: Readable, isWelcome: () => boolean): Promise<void> {
    return this.#alone(async () => {
      const seen = (chunk: Buffer) => {
        if (!isWelcome()) throw new RegistryError('UNAUTHORIZED', 'the key was revoked')
        if (this.length + chunk.length > this.#parts.limits.blobBytes) throw tooLarge(this.#parts.limits.blobBytes)
        if (this.#refusal !== undefined) throw this.#refusal
        this.length += chunk.length
        if (this.length >= this.#checkRoomAt) this.#checkRoom()
      }
      const written = (pieces: readonly Piece[]) => this.#digest.update(pieces)
      const into = { file: this.#file, position: this.length, blocks: this.#blocks }
      await pour(source, { ...into, seen, written }).catch((error: unknown) => {
        throw orDiskFull(error)
      })
    })
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
