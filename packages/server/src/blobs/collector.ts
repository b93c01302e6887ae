import { PassThrough, Writable } from 'node:stream'
import { callbackify } from 'node:util'
import type { StoredBody } from '../domain/request.ts'
import type { BlobStore } from './blob-store.ts'
import { inlineBytes } from './collect.ts'

/**
 * Takes in a body of at most `limit` bytes that is written to it; a large one goes on to the blob store and never stands in
 * memory. `stored` rejects, and the collector is destroyed, when it cannot be kept; destroyed from outside, it rejects too.
 */
export class Collector extends Writable {
  readonly stored: Promise<StoredBody>
  readonly #blobs: BlobStore
  readonly #limit: number
  readonly #resolve: (stored: StoredBody) => void
  readonly #reject: (error: unknown) => void
  #chunks: Buffer[] = []
  #length = 0
  #large: Large | undefined

  constructor(blobs: BlobStore, limit: number) {
    super()
    const { promise, resolve, reject } = Promise.withResolvers<StoredBody>()
    promise.catch(() => {}) // told to whoever asks
    this.on('error', () => {}) // the same
    this.stored = promise
    this.#blobs = blobs
    this.#limit = limit
    this.#resolve = resolve
    this.#reject = reject
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#length += chunk.length
    if (this.#large) return void this.#large.pipe.write(chunk, done)
    this.#chunks.push(chunk)
    if (this.#length > inlineBytes) this.#large = this.#begin()
    done()
  }

  override _final(done: (error?: Error | null) => void): void {
    const large = this.#large
    if (large !== undefined) return callbackify(() => this.#keep(large))(done)
    this.#resolve({ inline: Buffer.concat(this.#chunks) })
    done()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#large?.pipe.destroy(error ?? undefined)
    if (!this.writableFinished) this.#reject(error ?? new Error('the body broke off'))
    done(error)
  }

  async #keep({ pipe, kept }: Large): Promise<void> {
    pipe.end()
    const { key, length } = await kept
    this.#resolve({ blob: key, length })
  }

  #begin(): Large {
    const pipe = new PassThrough()
    pipe.on('error', () => {}) // the store tells
    const kept = this.#blobs.put(pipe, this.#limit)
    kept.catch((error: Error) => this.destroy(error))
    for (const chunk of this.#chunks.splice(0)) pipe.write(chunk)
    return { pipe, kept }
  }
}

interface Large {
  readonly pipe: PassThrough
  readonly kept: ReturnType<BlobStore['put']>
}
