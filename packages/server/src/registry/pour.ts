import type { FileHandle } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { blockBytes, type Blocks, type Piece } from './blocks.ts'

/** More than this is not read before it is written. */
const mostWaiting = 4 * 1024 * 1024

interface Pouring {
  readonly file: FileHandle
  /** Where it goes on in the file. */
  readonly position: number
  readonly blocks: Blocks
  /** Called with every chunk, in order, before it is written; what it throws ends the pouring. */
  readonly seen: (chunk: Buffer) => void
  /** Called with what is written, in order. The blocks are its own then, to be given back. */
  readonly written: (pieces: readonly Piece[]) => Promise<void>
}

/**
 * Writes what comes to a file, a block at a time: a disk is given large pieces in half the time. Resolves when all of it was
 * written, and rejects when the source broke, `seen` threw or the disk failed: what was seen until then is written, unless
 * it is the disk. The source stays open: it may be a socket on which a refusal still has to go out. The memory of its chunks is
 * taken, so nobody else may read them.
 */
export function pour(source: Readable, pouring: Pouring): Promise<void> {
  return new Promise((resolve, reject) => new Pour(source, pouring, { resolve, reject }))
}

interface Outcome {
  readonly error?: unknown
}

interface Settle {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

class Pour {
  readonly #source: Readable
  readonly #pouring: Pouring
  readonly #settle: Settle
  /** Full, and not yet being written. */
  #full: Piece[] = []
  /** The block that is being filled, and how far it is. */
  #block: Piece | undefined
  #filled = 0
  #at: number
  #isWriting = false
  #ended: Outcome | undefined

  constructor(source: Readable, pouring: Pouring, settle: Settle) {
    this.#source = source
    this.#pouring = pouring
    this.#settle = settle
    this.#at = pouring.position
    source.on('data', this.#take).on('end', this.#onEnd).on('error', this.#onError).on('close', this.#onClose)
  }

  readonly #onEnd = () => this.#end({})
  readonly #onError = (error: unknown) => this.#end({ error })
  readonly #onClose = () => this.#end({ error: new Error('the sender left before it had sent all') })

  readonly #take = (chunk: Buffer): void => {
    try {
      this.#pouring.seen(chunk)
    } catch (error) {
      return this.#end({ error })
    }
    this.#fill(chunk)
    freeMemoryOf(chunk)
    if (this.#full.length * blockBytes >= mostWaiting) this.#source.pause()
    this.#write()
  }

  #fill(chunk: Buffer): void {
    for (let taken = 0; taken < chunk.length;) {
      const block = (this.#block ??= this.#pouring.blocks.take())
      const part = chunk.subarray(taken, taken + blockBytes - this.#filled)
      block.set(part, this.#filled)
      taken += part.length
      this.#filled += part.length
      if (this.#filled === blockBytes) this.#turnOver()
    }
  }

  #turnOver(): void {
    if (this.#block !== undefined) this.#full.push(this.#block.subarray(0, this.#filled))
    this.#block = undefined
    this.#filled = 0
  }

  #end(how: Outcome): void {
    this.#ended ??= how
    this.#letGo()
    this.#turnOver()
    this.#write()
  }

  #letGo(): void {
    const source = this.#source
    source.off('data', this.#take).off('end', this.#onEnd).off('error', this.#onError).off('close', this.#onClose)
    source.on('error', ignore)
    if ('error' in (this.#ended ?? {})) source.pause()
  }

  #write(): void {
    if (this.#isWriting || (this.#full.length === 0 && this.#ended === undefined)) return
    this.#isWriting = true
    this.#writeAll()
      .then(() => this.#finish())
      .catch((error: unknown) => {
        this.#ended = { error }
        this.#letGo()
        this.#settle.reject(error)
      })
  }

  async #writeAll(): Promise<void> {
    while (this.#full.length > 0) {
      const pieces = this.#full
      this.#full = []
      if (this.#ended === undefined) this.#source.resume()
      this.#at += await writeWhole(this.#pouring.file, pieces, this.#at)
      await this.#pouring.written(pieces)
    }
    this.#isWriting = false
  }

  #finish(): void {
    if (this.#ended === undefined || this.#isWriting) return
    if (this.#full.length > 0) return this.#write()
    if ('error' in this.#ended) this.#settle.reject(this.#ended.error)
    else this.#settle.resolve()
  }
}

async function writeWhole(file: FileHandle, pieces: readonly Piece[], at: number): Promise<number> {
  const length = pieces.reduce((sum, { length: each }) => sum + each, 0)
  let { bytesWritten: written } = await file.writev(pieces, at)
  // A disk that is filling up takes a part.
  for (const rest = written < length ? Buffer.concat(pieces) : undefined; rest !== undefined && written < length;) {
    written += (await file.write(rest, written, length - written, at + written)).bytesWritten
  }
  return length
}

/** At once, and not when a collector comes by: what is used next is still in the processor's cache then. */
function freeMemoryOf({ buffer, length }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === length) buffer.transfer(0)
}

const ignore = () => {}
