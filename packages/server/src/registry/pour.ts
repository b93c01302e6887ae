import type { FileHandle } from 'node:fs/promises'
import type { Readable } from 'node:stream'

/** More than this is not read before it is written. */
const mostWaiting = 8 * 1024 * 1024
/** Less is not written before more has come: a disk is given large pieces in half the time. */
const leastWritten = 1024 * 1024

interface Pouring {
  readonly file: FileHandle
  /** Where it goes on in the file. */
  readonly position: number
  /** Called with every chunk, in order, before it is written; what it throws ends the pouring. */
  readonly seen: (chunk: Buffer) => void
  /** Called with chunks that are written, in order, which are its own then. */
  readonly written: (chunks: readonly Buffer[]) => Promise<void>
}

/**
 * Writes what comes to a file. Resolves when all of it was written, and rejects when the source broke, `seen` threw or the
 * disk failed: what was seen until then is written, unless it is the disk. The source stays open: it may be a socket on
 * which a refusal still has to go out.
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
  #waiting: Buffer[] = []
  #bytes = 0
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
    this.#waiting.push(chunk)
    this.#bytes += chunk.length
    if (this.#bytes > mostWaiting) this.#source.pause()
    this.#write()
  }

  #end(how: Outcome): void {
    this.#ended ??= how
    this.#letGo()
    this.#write()
  }

  #letGo(): void {
    const source = this.#source
    source.off('data', this.#take).off('end', this.#onEnd).off('error', this.#onError).off('close', this.#onClose)
    source.on('error', ignore)
    if ('error' in (this.#ended ?? {})) source.pause()
  }

  #write(): void {
    if (this.#isWriting) return
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
    while (this.#bytes >= leastWritten || (this.#ended !== undefined && this.#bytes > 0)) {
      const batch = this.#waiting
      this.#waiting = []
      this.#bytes = 0
      if (this.#ended === undefined) this.#source.resume()
      this.#at += await writeWhole(this.#pouring.file, batch, this.#at)
      await this.#pouring.written(batch)
    }
    this.#isWriting = false
  }

  #finish(): void {
    if (this.#ended === undefined || this.#isWriting) return
    if (this.#bytes > 0) return this.#write()
    if ('error' in this.#ended) this.#settle.reject(this.#ended.error)
    else this.#settle.resolve()
  }
}

async function writeWhole(file: FileHandle, batch: readonly Buffer[], at: number): Promise<number> {
  const length = batch.reduce((sum, { length: each }) => sum + each, 0)
  let { bytesWritten: written } = await file.writev(batch, at)
  // A disk that is filling up takes a part.
  for (const rest = written < length ? Buffer.concat(batch) : undefined; rest !== undefined && written < length;) {
    written += (await file.write(rest, written, length - written, at + written)).bytesWritten
  }
  return length
}

const ignore = () => {}
