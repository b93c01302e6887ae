import { Readable } from 'node:stream'
import type { BlobStore } from './blob-store.ts'
import type { StoredBody } from '../domain/request.ts'

/** Larger bodies become blobs. */
export const inlineBytes = 32 * 1024

/** Takes in a body of at most `limit` bytes; a large one never stands in memory. Lets go of the stream when it rejects. */
export async function collect(body: Readable, blobs: BlobStore, limit: number): Promise<StoredBody> {
  try {
    return await takeIn(body, blobs, limit)
  } catch (error) {
    body.destroy()
    throw error
  }
}

async function takeIn(body: Readable, blobs: BlobStore, limit: number): Promise<StoredBody> {
  const chunks: Buffer[] = []
  let length = 0
  const rest = body[Symbol.asyncIterator]()
  for (let next = await rest.next(); !next.done; next = await rest.next()) {
    const chunk: Buffer = next.value
    chunks.push(chunk)
    length += chunk.length
    if (length > inlineBytes) return await toBlob(chunks, rest, blobs, limit)
  }
  return { inline: Buffer.concat(chunks) }
}

async function toBlob(
  head: readonly Buffer[],
  rest: AsyncIterator<Buffer>,
  blobs: BlobStore,
  limit: number,
): Promise<StoredBody> {
  const { key, length } = await blobs.put(Readable.from(joined(head, rest), { objectMode: false }), limit)
  return { blob: key, length }
}

async function* joined(head: readonly Buffer[], rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield* head
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value
}
