import { createHash, type Hash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { CarrickError } from '../domain/errors.ts'

/** Folders made once, so that a put has one folder to sync and not two. */
export const shards = Array.from({ length: 256 }, (_, index) => index.toString(16).padStart(2, '0'))

/** Writes a stream of at most `limit` bytes into a file. Rejects with `body_too_large` beyond it. */
export async function copy(
  source: Readable | Uint8Array,
  file: FileHandle,
  { limit, algorithm }: { readonly limit: number; readonly algorithm: 'sha256' | 'md5' },
): Promise<{ digest: string; length: number }> {
  const hash = createHash(algorithm)
  const length = await copyHashed(source, file, { limit, hashes: [hash] })
  return { digest: hash.digest('hex'), length }
}

/** The same for those who want other digests, or several: the hashes see every byte. Answers how many there were. */
export async function copyHashed(
  source: Readable | Uint8Array,
  file: FileHandle,
  { limit, hashes }: { readonly limit: number; readonly hashes: readonly Hash[] },
): Promise<number> {
  let length = 0
  for await (const chunk of chunksOf(source)) {
    length += chunk.length
    if (length > limit) throw new CarrickError('body_too_large', `the body is larger than the limit of ${limit} bytes`)
    for (const hash of hashes) hash.update(chunk)
    await file.writeFile(chunk)
  }
  return length
}

/** A stream that is given up stays open: it may be a socket on which the refusal still has to go out. */
function chunksOf(source: Readable | Uint8Array): AsyncIterable<Uint8Array> | Iterable<Uint8Array> {
  return source instanceof Readable ? source.iterator({ destroyOnReturn: false }) : [source]
}

/** The error as it is, or `disk_full` in its place. */
export function orDiskFull(error: unknown): unknown {
  return isFull(error) ? new CarrickError('disk_full', 'the disk is full: nothing was stored', { cause: error }) : error
}

function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')
}
