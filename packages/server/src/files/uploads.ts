import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { CarrickError } from '../domain/errors.ts'
import type { AccountId } from '../domain/ids.ts'
import { bareEtag } from '../domain/object.ts'
import type { Clock, Moment } from '../kit/clock.ts'
import type { Bytes, Draft, Staging } from './staging.ts'

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

/** Files that come in parts, several at a time and in any order. What is not completed is forgotten by a restart, or a day later. */
export interface Uploads {
  /** Throws `too_busy` when the account has too many open. */
  begin(of: UploadOf, limit: number): Promise<string>
  /** Takes a part in; the same number again replaces it. Answers its MD5. Throws `upload_not_found`. */
  part(id: string, of: UploadOf, number: number, content: Bytes): Promise<string>
  /** Gives the whole file to `use`, once, and answers what that answered, also to those who ask again. */
  complete(id: string, of: UploadOf, parts: readonly Part[], use: (whole: Draft) => Promise<string>): Promise<string>
  cancel(id: string, of: UploadOf): Promise<void>
  /** Forgets those that nobody has completed within a day, with what came of them. */
  expire(): Promise<void>
}

interface Upload extends UploadOf {
  readonly limit: number
  readonly begunAt: Moment
  readonly parts: Map<number, Draft>
  completed?: Promise<string>
}

const mostOpen = 1_000
const longestMs = 24 * 60 * 60_000
const mostParts = 100_000

export function createUploads({ staging, clock }: { staging: Staging; clock: Clock }): Uploads {
  const uploads = new Map<string, Upload>()

  async function drop(id: string, { parts }: Upload): Promise<void> {
    uploads.delete(id)
    await Promise.all([...parts.values()].map((part) => part[Symbol.asyncDispose]()))
  }

  async function dropOld(): Promise<void> {
    const oldest = clock.now() - longestMs
    for (const [id, upload] of uploads) if (upload.begunAt < oldest) await drop(id, upload)
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
      uploads.set(id, { ...of, limit, begunAt: clock.now(), parts: new Map() })
      return id
    },

    async part(id, of, number, content) {
      const upload = found(id, of)
      if (!(number >= 1 && number <= mostParts))
        throw new CarrickError('bad_request', `Parts have numbers from 1 to ${mostParts}`)
      const others = [...upload.parts].filter(([each]) => each !== number)
      const taken = others.reduce((sum, [, { length }]) => sum + length, 0)
      const draft = await staging.receive(content, upload.limit - taken)
      if (uploads.get(id) !== upload || upload.completed) {
        await draft[Symbol.asyncDispose]()
        throw new CarrickError('upload_not_found', 'This upload ended while a part of it was on its way')
      }
      await upload.parts.get(number)?.[Symbol.asyncDispose]()
      upload.parts.set(number, draft)
      return draft.md5
    },

    async complete(id, of, parts, use) {
      const upload = found(id, of)
      upload.completed ??= whole(upload, parts, staging)
        .then(async (file) => {
          await using _draft = file
          return await use(file)
        })
        .finally(() => Promise.all([...upload.parts.values()].map((part) => part[Symbol.asyncDispose]())))
      return upload.completed
    },

    async cancel(id, of) {
      await drop(id, found(id, of))
    },

    expire: dropOld,
  }
}

/** The parts one after the other. They are deleted afterwards, so for a while the disk holds the file twice. */
async function whole(upload: Upload, parts: readonly Part[], staging: Staging): Promise<Draft> {
  const ordered = parts.toSorted((one, other) => one.number - other.number).map((part) => received(upload, part))
  if (new Set(ordered).size !== upload.parts.size)
    throw new CarrickError(
      'bad_request',
      `${upload.parts.size} parts have arrived, and ${parts.length} are to be put together`,
    )
  return staging.receive(contents(ordered), upload.limit)
}

function received({ parts }: Upload, { number, etag }: Part): Draft {
  const part = parts.get(number)
  if (part?.md5 === bareEtag(etag)) return part
  throw new CarrickError('bad_request', `Part ${number} did not arrive as it was sent: upload the file again`)
}

async function* contents(drafts: readonly Draft[]): AsyncGenerator<Uint8Array> {
  for (const { path } of drafts) yield* createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>
}
