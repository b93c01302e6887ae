import { once } from 'node:events'
import type { FileHandle } from 'node:fs/promises'
import type { OutgoingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { dropBlob, heldBlob, useBlob, type HeldBlob } from '../store/registry.ts'
import type { Visitor } from './access.ts'
import { byteRange } from './byte-range.ts'
import type { RegistryDeps } from './deps.ts'
import { RegistryError } from './errors.ts'
import { answer, type Exchange } from './exchange.ts'
import { sendFile } from './send-file.ts'

interface BlobPlace {
  readonly repository: string
  readonly digest: string
}

/** GET and HEAD of a blob: all of it, or the range that is asked for. */
export async function getBlob(deps: RegistryDeps, exchange: Exchange, visitor: Visitor, place: BlobPlace) {
  visitor.mayRead(place.repository)
  const { req } = exchange
  const held = await deps.store.read(heldBlob(place.repository, place.digest))
  if (held === undefined) throw unknownBlob(place)
  if (req.method === 'HEAD') await keep(deps, place, held)
  const headers = {
    'content-type': 'application/octet-stream',
    'docker-content-digest': place.digest,
    'accept-ranges': 'bytes',
    etag: `"${place.digest}"`,
    'cache-control': 'max-age=31536000, private, immutable',
  }
  if (req.headers['if-none-match'] === headers.etag) return answer(exchange, 304, headers)
  const range = byteRange(req.headers.range, held.length)
  if (range === 'unsatisfiable') {
    const error = `the blob has ${held.length} bytes`
    throw new RegistryError('SIZE_INVALID', error, {
      status: 416,
      headers: { 'content-range': `bytes */${held.length}` },
    })
  }
  const { start, end } = range ?? { start: 0, end: held.length - 1 }
  const ranged = range === undefined ? {} : { 'content-range': `bytes ${start}-${end}/${held.length}` }
  const status = range === undefined ? 200 : 206
  const all = { ...headers, ...ranged, 'content-length': end - start + 1 }
  if (req.method === 'HEAD' || held.length === 0) return answer(exchange, status, all)
  const file = await deps.blobs.openFile?.(held.blob)
  if (file !== undefined) return sendOf(exchange, { file, start, end }, status, all)
  await send(exchange, await deps.blobs.openRange(held.blob, { start, end }), status, all)
}

export async function deleteBlob(deps: RegistryDeps, exchange: Exchange, visitor: Visitor, place: BlobPlace) {
  visitor.mayWrite(place.repository)
  const held = await deps.store.read(heldBlob(place.repository, place.digest))
  if (held === undefined) throw unknownBlob(place)
  if (!(await deps.store.commit(dropBlob(place.repository, place.digest))))
    throw new RegistryError('UNSUPPORTED', `a manifest of ${place.repository} names ${place.digest}: delete that first`)
  answer(exchange, 202, {})
}

function unknownBlob({ repository, digest }: BlobPlace): RegistryError {
  return new RegistryError('BLOB_UNKNOWN', `${repository} holds no ${digest}`)
}

/** Whoever asks whether it is there may be about to name it in a manifest. */
async function keep({ store, clock, graceMs }: RegistryDeps, { repository, digest }: BlobPlace, { usedAt }: HeldBlob) {
  const now = clock.now()
  if (now - usedAt < graceMs / 2) return
  if (!(await store.commit(useBlob(repository, digest, now)))) throw unknownBlob({ repository, digest })
}

interface FilePart {
  readonly file: FileHandle
  readonly start: number
  readonly end: number
}

async function sendOf({ res }: Exchange, { file, start, end }: FilePart, status: number, headers: OutgoingHttpHeaders) {
  await using _ = file
  res.writeHead(status, headers)
  await sendFile(file, { start, end }, res)
  res.end()
}

async function send({ res }: Exchange, body: Readable, status: number, headers: OutgoingHttpHeaders) {
  res.writeHead(status, headers)
  // A client that has left is no fault of anybody's.
  await pipeline(body, res).catch(() => res.destroy())
  if (!res.closed) await once(res, 'close')
}
