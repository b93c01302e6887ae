import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream'
import { createBrotliDecompress, createUnzip, createZstdDecompress } from 'node:zlib'
import type { HeaderPairs } from '../domain/request.ts'
import { NotJson } from './json-check.ts'

const decoders = {
  gzip: createUnzip,
  'x-gzip': createUnzip,
  deflate: createUnzip,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
}

/** How an app has packed its answer; undefined where it has not. */
export function encodingOf(headers: HeaderPairs): string | undefined {
  const values = headers.filter(([name]) => name === 'content-encoding').map(([, value]) => value.trim().toLowerCase())
  const packed = values.filter((value) => value !== '' && value !== 'identity')
  return packed.length === 0 ? undefined : packed.join(', ')
}

/** The answer unpacked, as it comes. Throws `NotJson` for a packing that nobody here can undo. */
export function decoded(stream: Readable, encoding: string | undefined): Readable {
  if (encoding === undefined) return stream
  if (!isKnown(encoding)) {
    stream.destroy()
    throw new NotJson(`The result is packed in a way that cannot be undone here: ${encoding.slice(0, 100)}`)
  }
  // An end that comes too early is said by the stream that is read.
  return pipeline(stream, decoders[encoding](), () => {})
}

const isKnown = (encoding: string): encoding is keyof typeof decoders => Object.hasOwn(decoders, encoding)
