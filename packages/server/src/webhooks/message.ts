import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { BlobStore } from '../blobs/blob-store.ts'
import type { RequestId } from '../domain/ids.ts'
import type { StoredBody } from '../domain/request.ts'
import { isSuccess } from '../domain/webhook.ts'
import type { StoredResult } from '../store/bodies.ts'
import type { StoredRequest } from '../store/request-rows.ts'
import { decoded, encodingOf } from './encoding.ts'
import { checkedJson, NotJson } from './json-check.ts'

/** What a receiver is sent. A large result is read from its blob each time, and never stands in memory as a whole for long. */
export interface Message {
  /** In bytes. */
  readonly length: number
  /** Of the whole body, in lower-case hex. */
  readonly sha256: string
  open(): Promise<Uint8Array | Readable>
}

export interface MessageParts {
  readonly blobs: Pick<BlobStore, 'open'>
  /** The largest result that is sent along, in bytes of JSON. */
  readonly mostBytes: number
}

/** A request of which is told; `original` is the one that it sends again. */
type Told = Pick<StoredRequest, 'id' | 'status' | 'error'> & { readonly original?: RequestId | undefined }

/**
 * The outcome of a request as its webhook tells it (client-protocol.md §12): the stored result as it is where it is JSON
 * of a size that may be sent, else null and `payload_error`.
 */
export async function messageOf(
  request: Told,
  result: StoredResult | undefined,
  parts: MessageParts,
): Promise<Message> {
  try {
    if (result === undefined) throw new NotJson('The result is kept no longer')
    return await carrying(result, envelopeOf(request), parts)
  } catch (error) {
    if (!(error instanceof NotJson)) throw error
    const { head, error: why } = envelopeOf(request)
    return whole(Buffer.from(`${head}null,"error":${why},"payload_error":${JSON.stringify(error.message)}}`))
  }
}

interface Envelope {
  /** All that comes before the payload. */
  readonly head: string
  /** As JSON. */
  readonly error: string
}

function envelopeOf({ id, status = 500, error, original = id }: Told) {
  const isFine = isSuccess(status)
  const head = { request_id: id, gateway_request_id: original, status: isFine ? 'OK' : 'ERROR' }
  const why = isFine ? null : (error?.message ?? `Invalid status code: ${status}`)
  return {
    head: `${JSON.stringify(head).slice(0, -1)},"payload":`,
    error: JSON.stringify(why),
  } satisfies Envelope
}

async function carrying(result: StoredResult, envelope: Envelope, parts: MessageParts): Promise<Message> {
  const { body, headers } = result
  const encoding = encodingOf(headers)
  const head = Buffer.from(envelope.head)
  const tail = Buffer.from(`,"error":${envelope.error}}`)
  const open = async () => decoded(await streamOf(body, parts), encoding)
  if ('inline' in body) return whole(Buffer.concat([head, await checkedJson(await open(), parts.mostBytes), tail]))
  return inTurn(async () => {
    const payload = await checkedJson(await open(), parts.mostBytes)
    return {
      length: head.length + payload.length + tail.length,
      sha256: createHash('sha256').update(head).update(payload).update(tail).digest('hex'),
      open: async () => Readable.from(joined(head, open, tail), { objectMode: false }),
    }
  })
}

let turn: Promise<unknown> = Promise.resolve()

/** Large results are looked at one at a time, so that the memory it takes does not grow with the deliveries. */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const mine = turn.then(work)
  turn = mine.catch(() => {})
  return mine
}

/** The blob is opened when its turn has come: a message that nobody reads holds no file. */
async function* joined(head: Buffer, open: () => Promise<Readable>, tail: Buffer): AsyncGenerator<Buffer> {
  yield head
  yield* (await open()) as AsyncIterable<Buffer>
  yield tail
}

function whole(bytes: Buffer): Message {
  return {
    length: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    open: async () => bytes,
  }
}

async function streamOf(body: StoredBody, { blobs }: MessageParts): Promise<Readable> {
  return 'inline' in body ? Readable.from([body.inline]) : blobs.open(body.blob)
}
