import type { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants as zlib, createZstdCompress, createZstdDecompress } from 'node:zlib'
import { extract, pack as packTar, type Pack } from 'tar-stream'

import { sealed, unsealed } from './sealing.ts'

/** A file, folder or link of an archive, with its bytes. */
export type Entry = ReturnType<typeof extract> extends AsyncIterable<infer Each> ? Each : never

interface Through {
  readonly passphrase: string | undefined
  readonly signal: AbortSignal
}

/** Gives an archive to be filled, and writes what comes of it, compressed and perhaps encrypted. Ends when all of it is written. */
export async function packInto<T>(
  to: Writable,
  { passphrase, signal }: Through,
  fill: (pack: Pack) => Promise<T>,
): Promise<T> {
  const pack = packTar()
  const zstd = createZstdCompress({ params: { [zlib.ZSTD_c_checksumFlag]: 1 } })
  const compressed = pipeline(pack, zstd)
  compressed.catch(() => {}) // told below
  const source = passphrase === undefined ? zstd : await sealed(zstd, passphrase)
  const written = pipeline(source, to, { signal })
  const filled = fill(pack).catch((error: unknown) => {
    pack.destroy(error instanceof Error ? error : new Error(String(error)))
    throw error
  })
  const all = [filled, compressed, written] as const
  return await settled(all, signal)
}

/** Reads such a stream and gives the archive to be emptied. Ends when all of it is read. */
export async function unpackFrom<T>(
  from: Readable,
  { passphrase, signal }: Through,
  empty: (archive: AsyncIterable<Entry>) => Promise<T>,
): Promise<T> {
  const archive = extract()
  const giveUp = new AbortController()
  const source = await unsealed(from, passphrase)
  const stop = AbortSignal.any([signal, giveUp.signal])
  stop.addEventListener('abort', () => from.destroy()) // it may be silent
  const read = pipeline(source, createZstdDecompress(), archive, { signal: stop })
  read.catch((error: Error) => archive.destroy(error))
  const emptied = empty(nextOnly(archive)).catch((error: unknown) => {
    giveUp.abort(error)
    throw error
  })
  const all = [emptied, read] as const
  return await settled(all, signal)
}

/** The first of them, when all have ended. Throws what failed first, or why it was to stop. */
async function settled<T>(all: readonly [Promise<T>, ...Promise<void>[]], signal: AbortSignal): Promise<T> {
  try {
    const [result] = await Promise.all(all)
    return result
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    await Promise.allSettled(all)
  }
}

/** A loop that is left early would wait for a stream which waits for the loop. */
function nextOnly<T>(all: AsyncIterable<T>): AsyncIterable<T> {
  const iterator = all[Symbol.asyncIterator]()
  return { [Symbol.asyncIterator]: () => ({ next: () => iterator.next() }) }
}
