import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  paginateListObjectsV2,
  PutObjectCommand,
  S3Client,
  type ListMultipartUploadsCommandInput,
  type ListMultipartUploadsCommandOutput,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import type { Moment } from '../../kit/clock.ts'
import type { Draft } from './draft.ts'
import { parseAddress, type S3Options } from './options.ts'

/** The calls that the stores are made of, each made as often as the client library sees fit. Keys are below the prefix. */
export interface Bucket {
  readonly address: string
  /** Resolves when the server has acknowledged all of it, and found it to be what was sent. */
  put(key: string, draft: WholeFile): Promise<void>
  /** The bytes from `start` to `end`, both included, or to the last. */
  get(key: string, start: number, end?: number): Promise<Answer>
  /** A small text; undefined when there is none. */
  read(key: string): Promise<string | undefined>
  write(key: string, text: string): Promise<void>
  /** When it was put, by the clock of the server; undefined when it is not there. */
  modifiedAt(key: string): Promise<Moment | undefined>
  /** What is gone already is no error. */
  remove(key: string): Promise<void>
  /** The last segments of all keys that begin so. */
  namesUnder(start: string): Promise<string[]>
  /** Gives up the uploads in parts below the prefix: those of a process that is gone. */
  dropUnfinished(): Promise<void>
  /** Aborts when it is closed. */
  readonly closed: AbortSignal
  close(): void
}

type WholeFile = Pick<Draft, 'path' | 'length' | 'sha256'>

/** Some bytes, and how many there will be. */
export interface Answer {
  readonly body: Readable
  readonly length: number
}

const wholeBytes = 256 * 1024 * 1024
/** Servers take 10,000 of one file. */
const mostParts = 9_000
const smallestPart = 16 * 1024 * 1024
/** Readers may take their time, and each holds a connection. */
const mostConnections = 1_000

export function openBucket(options: S3Options): Bucket {
  const { bucket: Bucket, prefix } = parseAddress(options.address)
  const client = clientOf(options)
  const closing = new AbortController()
  const most = options.wholeBytes ?? wholeBytes
  const root = prefix === '' ? '' : `${prefix}/`
  const at = (key: string) => ({ Bucket, Key: root + key })

  async function putWhole(key: string, { length, sha256 }: WholeFile, body: Readable): Promise<void> {
    const command = new PutObjectCommand({ ...at(key), Body: body, ContentLength: length })
    // The signature covers it, and every server that speaks S3 compares it with what has arrived.
    command.middlewareStack.add(
      (next) => async (args) => {
        ;(args.request as { headers: Record<string, string> }).headers['x-amz-content-sha256'] = sha256
        return next(args)
      },
      { step: 'build' },
    )
    await client.send(command)
  }

  async function putInParts(key: string, { length }: WholeFile, body: Readable): Promise<void> {
    const partSize = Math.max(smallestPart, Math.ceil(length / mostParts))
    await new Upload({ client, params: { ...at(key), Body: body }, partSize, queueSize: 2 }).done()
  }

  async function dropUnder(Prefix: string): Promise<void> {
    for (let next: ListMultipartUploadsCommandInput | undefined = { Bucket, Prefix }; next;) {
      const { Uploads = [], ...page }: ListMultipartUploadsCommandOutput = await client.send(
        new ListMultipartUploadsCommand(next),
      )
      for (const { Key, UploadId } of Uploads)
        await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }))
      const [KeyMarker, UploadIdMarker] = [page.NextKeyMarker, page.NextUploadIdMarker]
      next = page.IsTruncated === true ? { Bucket, Prefix, KeyMarker, UploadIdMarker } : undefined
    }
  }

  return {
    address: options.address,
    async put(key, draft) {
      const body = createReadStream(draft.path)
      try {
        await (draft.length <= most ? putWhole(key, draft, body) : putInParts(key, draft, body))
      } finally {
        body.destroy()
      }
    },
    async get(key, start, end) {
      // Of nothing there is no range.
      const range = start === 0 && end === undefined ? {} : { Range: `bytes=${start}-${end ?? ''}` }
      const { Body, ContentLength = 0 } = await client.send(new GetObjectCommand({ ...at(key), ...range }))
      return { body: Body as Readable, length: ContentLength }
    },
    async read(key) {
      try {
        return await (await client.send(new GetObjectCommand(at(key)))).Body?.transformToString()
      } catch (error) {
        if (error instanceof Error && error.name === 'NoSuchKey') return undefined
        throw error
      }
    },
    write: async (key, text) => void (await client.send(new PutObjectCommand({ ...at(key), Body: text }))),
    async modifiedAt(key) {
      try {
        return (await client.send(new HeadObjectCommand(at(key)))).LastModified?.getTime()
      } catch (error) {
        if (error instanceof Error && error.name === 'NotFound') return undefined
        throw error
      }
    },
    remove: async (key) => void (await client.send(new DeleteObjectCommand(at(key)))),
    async namesUnder(start) {
      const names: string[] = []
      for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket, Prefix: root + start })) {
        for (const { Key = '' } of Contents) names.push(Key.slice(Key.lastIndexOf('/') + 1))
      }
      return names
    },
    async dropUnfinished() {
      for (const folder of ['blobs/', 'objects/']) await dropUnder(root + folder)
    },
    closed: closing.signal,
    close() {
      closing.abort(new Error('the server is going down'))
      client.destroy()
    },
  }
}

function clientOf(options: S3Options): S3Client {
  const { endpoint, region, accessKeyId, secretAccessKey, pathStyle, idleMs } = options
  const agent = { maxSockets: mostConnections, keepAlive: true }
  return new S3Client({
    region,
    forcePathStyle: pathStyle,
    ...(endpoint === '' ? {} : { endpoint }),
    ...(accessKeyId === '' ? {} : { credentials: { accessKeyId, secretAccessKey } }),
    requestHandler: { connectionTimeout: 5_000, socketTimeout: idleMs, httpAgent: agent, httpsAgent: agent },
    // Checksums that only new servers know; what is stored is verified by its SHA-256 in any case.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    expectContinueHeader: false,
    logger: { debug: nothing, info: nothing, warn: nothing, error: nothing },
  })
}

/** What goes wrong is an error that is told to whoever asked; the library would say it on the console as well. */
const nothing = () => {}
