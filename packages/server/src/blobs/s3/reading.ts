import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { Bucket } from './bucket.ts'
import { isPassing } from './trouble.ts'

/** An answer that ended before its last byte. */
class ShortAnswer extends Error {
  override readonly name = 'ShortAnswer'
}

/**
 * The bytes from `start` to `end`, both included, or to the last. Its first answer is there when it resolves. A connection
 * that breaks, or was closed because its reader took a rest, is taken up again where it ended; an answer that brings
 * nothing is given up.
 */
export async function openResumed(
  bucket: Pick<Bucket, 'get'>,
  key: string,
  start = 0,
  end?: number,
): Promise<Readable> {
  const first = await bucket.get(key, start, end)
  const past = end === undefined ? start + first.length : end + 1
  let current = first.body
  async function* bytes(): AsyncGenerator<Buffer, void> {
    for (let at = start; at < past;) {
      const before = at
      try {
        for await (const chunk of current) {
          at += (chunk as Buffer).length
          yield chunk as Buffer
        }
        if (at < past) throw new ShortAnswer(`an answer ended ${past - at} bytes too early`)
      } catch (error) {
        if (at === before || !isPassing(error)) throw error
        if (at < past) current = (await bucket.get(key, at, past - 1)).body
      }
    }
  }
  // Whoever gives up before the first read leaves an answer that nobody reads.
  return Readable.from(bytes(), { objectMode: false }).once('close', () => current.destroy())
}

/** The same bytes if their SHA-256 is this one. If not, the stream breaks before its last ones, so that nobody takes it for whole. */
export function verified(source: Readable, sha256: string): Readable {
  async function* bytes(): AsyncGenerator<Buffer, void> {
    const hash = createHash('sha256')
    let held: Buffer | undefined
    for await (const chunk of source) {
      if (held !== undefined) yield held
      held = chunk as Buffer
      hash.update(held)
    }
    if (hash.digest('hex') !== sha256)
      throw new Error(`the object store gave other bytes than were stored as ${sha256}`)
    if (held !== undefined) yield held
  }
  return Readable.from(bytes(), { objectMode: false }).once('close', () => source.destroy())
}
