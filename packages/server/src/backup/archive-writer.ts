import { createHash } from 'node:crypto'
import type { Stats } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Header, Pack } from 'tar-stream'

import { endName, sumLine, sumsName, type End, type Head, headName, mostBytes } from './layout.ts'
import type { z } from 'zod'

/** What a file was when it was opened. */
export type Facts = Pick<Stats, 'size' | 'mode' | 'mtime' | 'uid' | 'gid'>

interface WriterParts {
  readonly pack: Pack
  /** A file for the sums until their turn comes. */
  readonly sums: FileHandle
  readonly head: Head
  readonly onFile: (bytes: number) => void
}

/** Writes the entries of a backup one after the other, at the pace of whoever reads the archive. */
export class ArchiveWriter {
  readonly #parts: WriterParts
  readonly #allSums = createHash('sha256')
  #files = 0
  #bytes = 0

  constructor(parts: WriterParts) {
    this.#parts = parts
  }

  /** To be called first. */
  async head(): Promise<void> {
    await this.#text(headName, this.#parts.head)
  }

  /** Exactly as many bytes as it had when it was opened: one that grows is cut there, of one that shrinks the rest is zeros. */
  async file(name: string, file: FileHandle, facts: Facts): Promise<void> {
    const hash = createHash('sha256')
    const hashed = async function* () {
      for await (const chunk of exactly(file, facts.size)) {
        hash.update(chunk)
        yield chunk
      }
    }
    this.#bytes += facts.size
    if (this.#bytes > mostBytes(this.#parts.head))
      throw new Error('what runners keep in /data has more than doubled while it was read: try again')
    await this.#entry({ ...headerOf(name, facts), type: 'file', size: facts.size }, hashed())
    const line = sumLine(hash.digest('hex'), name)
    this.#allSums.update(line)
    await this.#parts.sums.appendFile(line)
    this.#files += 1
    this.#parts.onFile(facts.size)
  }

  async folder(name: string, facts: Facts): Promise<void> {
    await this.#entry({ ...headerOf(name, facts), type: 'directory' })
  }

  async link(name: string, target: string, facts: Facts): Promise<void> {
    await this.#entry({ ...headerOf(name, facts), type: 'symlink', linkname: target })
  }

  /** To be called last. Answers what the archive holds. */
  async end(): Promise<{ readonly files: number; readonly bytes: number }> {
    const { sums, pack } = this.#parts
    const { size } = await sums.stat()
    await this.#entry({ name: sumsName, type: 'file', size, mode: 0o600 }, exactly(sums, size))
    const [files, bytes] = [this.#files, this.#bytes]
    await this.#text(endName, { files, bytes, sums: this.#allSums.digest('hex') } satisfies z.infer<typeof End>)
    pack.finalize()
    return { files, bytes }
  }

  async #text(name: string, value: object): Promise<void> {
    const text = Buffer.from(`${JSON.stringify(value, null, 2)}\n`)
    await this.#entry({ name, type: 'file', size: text.length, mode: 0o600 }, [text])
  }

  #entry(
    header: Partial<Header> & Pick<Header, 'name'>,
    content?: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<void> {
    const { pack } = this.#parts
    if (content !== undefined) return pipeline(Readable.from(content, { objectMode: false }), pack.entry(header))
    return new Promise((resolve, reject) => pack.entry(header, (error) => (error ? reject(error) : resolve())))
  }
}

const headerOf = (name: string, { mode, mtime, uid, gid }: Facts) => ({ name, mode: mode & 0o777, mtime, uid, gid })

const chunkBytes = 1 << 20

async function* exactly(file: FileHandle, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < size;) {
    const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, size - at))
    const { bytesRead } = await file.read(chunk, 0, chunk.length, at)
    if (bytesRead === 0) chunk.fill(0)
    const part = bytesRead === 0 ? chunk : chunk.subarray(0, bytesRead)
    yield part
    at += part.length
  }
}
