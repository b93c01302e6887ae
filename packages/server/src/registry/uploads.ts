import { randomBytes } from 'node:crypto'
import { open } from 'node:fs/promises'
import { Blocks } from './blocks.ts'
import { Digests } from './digests.ts'
import { RegistryError } from './errors.ts'
import { Upload, type UploadFile, type UploadParts, type UploadPlace } from './upload.ts'

/** Uploads that are under way. They are files and memory: a start of the server knows none of those before it. */
export class Uploads {
  readonly #parts: UploadParts
  readonly #open = new Map<string, Upload>()
  /** How many each visitor has, those that are being opened included. */
  readonly #counts = new Map<string, number>()
  readonly #blocks = new Blocks()
  readonly #digests = new Digests()

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
