import { createReadStream } from 'node:fs'
import { posix } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { extract, type Header } from 'tar-stream'
import type { Contents } from './layout.ts'

/** What is read whole: lists and configurations. */
const mostText = 4 * 1024 * 1024
const mostTexts = 2_000
const mostEntries = 100_000

type Visit = (header: Header, content: AsyncIterable<Uint8Array>) => Promise<void>

/** Looks at an archive as far as it has to be understood. */
export async function contentsOf(file: string): Promise<Contents> {
  const texts = new Map<string, Buffer>()
  const files = new Set<string>()
  const links = new Map<string, string>()
  await eachEntry(file, async (header, content) => {
    const name = nameOf(header.name)
    if (files.size + links.size > mostEntries) throw new Error('it holds more files than an archive of images has')
    if (header.type === 'symlink' || header.type === 'link') links.set(name, targetOf(name, header))
    if (header.type !== 'file') return
    files.add(name)
    const isText = /(?:\.json|^blobs\/sha256\/[0-9a-f]{64})$/.test(name) && header.size <= mostText
    if (isText && texts.size < mostTexts) {
      const chunks: Uint8Array[] = []
      for await (const chunk of content) chunks.push(chunk)
      const bytes = Buffer.concat(chunks)
      if (bytes[0] === 0x7b || bytes[0] === 0x5b) texts.set(name, bytes) // JSON begins so
    }
  })
  return { texts, files, links }
}

/** Goes through an archive from its beginning, compressed or not. What a visit leaves unread is passed over. */
export async function eachEntry(file: string, visit: Visit): Promise<void> {
  const archive = extract()
  const source = await opened(file)
  const read = pipeline(source, archive)
  read.catch((error: Error) => archive.destroy(error))
  const entries = archive[Symbol.asyncIterator]()
  try {
    for (let next = await entries.next(); next.done !== true; next = await entries.next()) {
      await visit(next.value.header, next.value as AsyncIterable<Uint8Array>)
      next.value.resume()
    }
  } catch (error) {
    source.destroy()
    await read.catch(() => {})
    const isDamage =
      error instanceof Error &&
      !('syscall' in error) &&
      /Invalid tar|Unexpected end|incorrect header/.test(error.message)
    throw isDamage ? new Error(`${file} is no tar archive, or not whole (${error.message})`, { cause: error }) : error
  }
  await read
}

async function opened(file: string): Promise<Readable> {
  const start = await startOf(file)
  const plain = createReadStream(file)
  if (start.subarray(0, 2).equals(Buffer.from([0x1f, 0x8b]))) return through(plain, createGunzip())
  if (start.equals(Buffer.from([0x28, 0xb5, 0x2f, 0xfd]))) return through(plain, createZstdDecompress())
  return plain
}

async function startOf(file: string): Promise<Buffer> {
  for await (const chunk of createReadStream(file, { end: 3 })) return chunk as Buffer
  return Buffer.alloc(0)
}

function through(
  from: Readable,
  to: ReturnType<typeof createGunzip> | ReturnType<typeof createZstdDecompress>,
): Readable {
  from.on('error', (error) => to.destroy(error))
  return from.pipe(to)
}

const nameOf = (name: string) => name.replace(/^\.\//, '').replace(/\/$/, '')

function targetOf(name: string, { linkname, type }: Header): string {
  return type === 'link' ? nameOf(linkname) : posix.normalize(posix.join(posix.dirname(name), linkname))
}
