import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { CarrickError } from '../domain/errors.ts'
import type { AccountId } from '../domain/ids.ts'
import { bareEtag } from '../domain/object.ts'
import type { Clock } from '../kit/clock.ts'
import { openPartsFolder, type Facts, type KeptPart } from './parts-folder.ts'
import { orFull, type Bytes, type Draft, type Staging } from './staging.ts'

/** Whose upload it is, and what for: no other may add to it. */
export interface UploadOf {
  readonly accountId: AccountId
  readonly target: string
}

/** A part as its sender knows it. */
export interface Part {
  readonly number: number
  /** What the answer to it said, in whatever quotes. */
  readonly etag: string
}

/** Files that come in parts, several at a time and in any order. What is not completed outlives restarts, and is forgotten a day later. */
export interface Uploads {
  /** Throws `too_busy` when the account has too many open. */
  begin(of: UploadOf, limit: number): Promise<string>
  /** Takes a part in; the same number again replaces it. Answers its MD5. Throws `upload_not_found`. */
  part(id: string, of: UploadOf, number: number, content: Bytes): Promise<string>
  /** Gives the whole file to `use`, once, and answers what that answered, also to those who ask again. What fails may be asked again. */
  complete(id: string, of: UploadOf, parts: readonly Part[], use: (whole: Draft) => Promise<string>): Promise<string>
  cancel(id: string, of: UploadOf): Promise<void>
  /** Forgets those that nobody has completed within a day, with what came of them. */
  expire(): Promise<void>
}

interface Upload extends Facts {
  readonly parts: Map<number, KeptPart>
  completed?: Promise<string>
}

const mostOpen = 1_000
const longestMs = 24 * 60 * 60_000
const mostParts = 100_000

interface UploadParts {
  /** On the disk where drafts are made. */
  readonly folder: string
  readonly staging: Staging
  readonly clock: Clock
}

/** Opens the folder, with the uploads that a former process had begun. */
export async function openUploads({ folder, staging, clock }: UploadParts): Promise<Uploads> {
  const disk = await openPartsFolder(folder)
  const uploads = new Map<string, Upload>()
  for (const { id, parts, ...facts } of await disk.found()) uploads.set(id, { ...facts, parts: new Map(parts) })

  async function drop(id: string): Promise<void> {
    uploads.delete(id)
    await disk.drop(id)
  }

  async function dropOld(): Promise<void> {
    const oldest = clock.now() - longestMs
    for (const [id, upload] of uploads) if (upload.begunAt < oldest) await drop(id)
  }

  function found(id: string, { accountId, target }: UploadOf): Upload {
    const upload = uploads.get(id)
    if (upload?.accountId === accountId && upload.target === target) return upload
    throw new CarrickError('upload_not_found', 'This upload is not known here, or no longer: begin it again')
  }

  return {
    async begin(of, limit) {
      const open = [...uploads.values()].filter((each) => each.accountId === of.accountId && !each.completed)
      if (open.length >= mostOpen)
        throw new CarrickError(
          'too_busy',
          `This account has ${mostOpen} uploads that are not complete: try again later`,
        )
      const id = randomUUID()
      const { accountId, target } = of
      const facts = { accountId, target, limit, begunAt: clock.now() }
      uploads.set(id, { ...facts, parts: new Map() }) // counts from here on
      await disk.begin(id, facts).catch((error: unknown) => {
        uploads.delete(id)
        throw orFull(error)
      })
      return id
    },

    async part(id, of, number, content) {
      const upload = found(id, of)
      if (!(number >= 1 && number <= mostParts))
        throw new CarrickError('bad_request', `Parts have numbers from 1 to ${mostParts}`)
      const others = [...upload.parts].filter(([each]) => each !== number)
      const taken = others.reduce((sum, [, { length }]) => sum + length, 0)
      await using draft = await staging.receive(content, upload.limit - taken)
      if (uploads.get(id) !== upload || upload.completed) throw ended()
      const part = await disk.keep(id, number, draft).catch((error: NodeJS.ErrnoException) => {
        throw error.code === 'ENOENT' ? ended() : orFull(error)
      })
      const former = upload.parts.get(number)
      upload.parts.set(number, part)
      if (former !== undefined && former.path !== part.path) await rm(former.path, { force: true })
      return part.md5
    },

    async complete(id, of, parts, use) {
      const upload = found(id, of)
      if (upload.completed === undefined) {
        const ordered = orderedParts(upload, parts)
        upload.completed = putTogether(ordered, upload, use)
          .then(async (answer) => {
            await disk.drop(id)
            return answer // which stays known for a while
          })
          .catch((error: unknown) => {
            delete upload.completed
            throw error
          })
      }
      return upload.completed
    },

    async cancel(id, of) {
      found(id, of)
      await drop(id)
    },

    expire: dropOld,
  }

  /** The parts one after the other. They are deleted afterwards, so for a while the disk holds the file twice. */
  async function putTogether(ordered: readonly KeptPart[], { limit }: Upload, use: (whole: Draft) => Promise<string>) {
    await using whole = await staging.receive(contents(ordered), limit)
    return await use(whole)
  }
}

const ended = () => new CarrickError('upload_not_found', 'This upload ended while a part of it was on its way')

/** Those that are listed, in order. Throws `bad_request` for a list that is not what has arrived. */
function orderedParts(upload: Upload, parts: readonly Part[]): readonly KeptPart[] {
  const ordered = parts.toSorted((one, other) => one.number - other.number).map((part) => received(upload, part))
  if (new Set(ordered).size === upload.parts.size) return ordered
  const sentence = `${upload.parts.size} parts have arrived, and ${parts.length} are to be put together`
  throw new CarrickError('bad_request', sentence)
}

function received({ parts }: Upload, { number, etag }: Part): KeptPart {
  const part = parts.get(number)
  if (part?.md5 === bareEtag(etag)) return part
  throw new CarrickError('bad_request', `Part ${number} did not arrive as it was sent: upload it again`)
}

async function* contents(parts: readonly KeptPart[]): AsyncGenerator<Uint8Array> {
  for (const { path } of parts) yield* createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>
}
