import { create as contentDisposition } from 'content-disposition'
import { parse as parseRange } from 'range-parser'
import type { Readable as Stream } from 'node:stream'
import { bareEtag, isPassive, slicesOf, type Part, type Slice } from '../../domain/object.ts'
import type { ObjectFiles } from '../../blobs/object-files.ts'
import type { Moment } from '../../kit/clock.ts'
import type { Readable } from '../storage/objects.ts'

export interface Asked {
  readonly header: (name: string) => string | undefined
  /** Then no file is opened. */
  readonly isHead: boolean
  /** Whether whoever asked is gone: then nobody will read, nor say so. */
  readonly signal: AbortSignal
  readonly now: Moment
}

/** The object as HTTP tells it: whole, a range of it (RFC 9110, one range at a time), or that nothing changed. */
export async function objectResponse(
  { object, parts }: { readonly object: Readable; readonly parts: readonly Part[] },
  files: Pick<ObjectFiles, 'open'>,
  asked: Asked,
): Promise<Response> {
  const headers = headersOf(object, asked.now)
  const { length, etag } = object.whole
  if (isKnown(asked.header('if-none-match'), etag)) return new Response(null, { status: 304, headers })
  const range = rangeOf(asked, object.whole)
  if (range === 'unsatisfiable') {
    return new Response(null, { status: 416, headers: { ...headers, 'content-range': `bytes */${length}` } })
  }
  const { start, end } = range ?? { start: 0, end: length - 1 }
  const body = asked.isHead ? null : await streamOf(slicesOf(parts, { start, end }), files, asked.signal)
  const sized = { ...headers, 'content-type': object.contentType, 'content-length': String(end - start + 1) }
  if (range === undefined) return new Response(body, { headers: sized })
  return new Response(body, { status: 206, headers: { ...sized, 'content-range': `bytes ${start}-${end}/${length}` } })
}

/** What is uploaded is anybody's: opened here it may show itself, but runs nothing and reaches nothing. */
const safety = {
  'content-security-policy':
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; media-src 'self' data:",
  'x-content-type-options': 'nosniff',
  'cross-origin-resource-policy': 'cross-origin',
  'referrer-policy': 'no-referrer',
}

const dayMs = 86_400_000

function headersOf({ name, contentType, whole, acl, dropAt }: Readable, now: Moment): Record<string, string> {
  const freshMs = Math.min(dayMs, (dropAt ?? Infinity) - now)
  return {
    ...safety,
    'accept-ranges': 'bytes',
    etag: `"${whole.etag}"`,
    'content-disposition': contentDisposition(name, { type: isPassive(contentType) ? 'inline' : 'attachment' }),
    'cache-control': acl === undefined ? `public, max-age=${Math.floor(freshMs / 1_000)}` : 'private, no-store',
  }
}

function isKnown(header: string | undefined, etag: string): boolean {
  return header !== undefined && header.split(',').some((each) => each.trim() === '*' || bareEtag(each) === etag)
}

/** The one range that is asked for. Several, and what is not understood, are answered with the whole, as is allowed. */
function rangeOf({ header }: Asked, { length, etag }: Readable['whole']) {
  const asked = header('range')
  const condition = header('if-range')
  if (asked === undefined || (condition !== undefined && condition !== `"${etag}"`)) return undefined
  const { type, code, ranges } = parseRange(length, asked)
  if (type !== 'bytes' || (code & 1) !== 0) return undefined
  if (ranges.length === 0) return length === 0 ? undefined : 'unsatisfiable'
  return ranges.length === 1 ? ranges[0] : undefined
}

/** The first file is opened before anything is answered: that it cannot be had is told with a status. */
async function streamOf(
  slices: readonly Slice[],
  files: Pick<ObjectFiles, 'open'>,
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array>> {
  const [first, ...others] = slices
  const opened = first && (await files.open(first))
  const giveUp = () => opened?.destroy()
  if (signal.aborted) giveUp()
  else signal.addEventListener('abort', giveUp, { once: true })
  const chunks = bytesOf(opened, others, files)
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await chunks.next()
        if (done === true) controller.close()
        else controller.enqueue(value)
      },
      async cancel() {
        await chunks.return()
        giveUp() // also when nobody has begun to read
      },
    },
    { highWaterMark: 0 },
  )
}

async function* bytesOf(
  first: Stream | undefined,
  others: readonly Slice[],
  files: Pick<ObjectFiles, 'open'>,
): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of first ?? []) yield chunk as Uint8Array
  for (const slice of others) {
    for await (const chunk of await files.open(slice)) yield chunk as Uint8Array
  }
}
