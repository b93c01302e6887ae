import type { Readable } from 'node:stream'

/** Why a result cannot stand in a JSON message, as a sentence for its receiver. */
export class NotJson extends Error {
  override readonly name = 'NotJson'
}

/** The bytes of a result, once it is known that they are JSON and no more than `mostBytes`. Throws `NotJson` otherwise. */
export async function checkedJson(stream: Readable, mostBytes: number): Promise<Buffer> {
  const bytes = await allOf(stream, mostBytes)
  requireJson(bytes)
  return bytes
}

async function allOf(stream: Readable, mostBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of stream) {
      const bytes: Buffer = chunk
      length += bytes.length
      if (length > mostBytes) throw tooLarge(mostBytes)
      chunks.push(bytes)
    }
  } catch (cause) {
    if (isBadPacking(cause)) throw new NotJson('The result could not be unpacked', { cause })
    throw cause
  }
  return Buffer.concat(chunks)
}

function requireJson(bytes: Buffer): void {
  if (bytes.length === 0) throw new NotJson('The result is empty')
  try {
    // A mark at the beginning is no JSON either.
    JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch (cause) {
    throw new NotJson('The result is not JSON', { cause })
  }
}

const tooLarge = (mostBytes: number) =>
  new NotJson(`The result is larger than the ${mostBytes} bytes that a webhook carries: fetch it from the queue`)

/** zlib's own errors, as against those of the disk. */
function isBadPacking(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return /^(Z_|ZSTD_|ERR_.*(BROTLI|ZSTD)|ERR__ERROR)/.test(code)
}
