import { createHash } from 'node:crypto'
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { FromDigester, ToDigester } from './digest-messages.ts'

/** SHA-256 of bytes that come little by little. */
export interface Digest {
  /** Takes chunks over: nobody may use them any more. Resolves when there may be more. */
  update(chunks: readonly Buffer[]): Promise<void>
  /** Of all so far. */
  sha256(): Promise<string>
  /** It is not needed any more. */
  forget(): void
}

/** What is smaller is not worth a thread. */
const smallBytes = 1024 * 1024
/** More than this does not wait for the thread. */
const mostWaiting = 8 * 1024 * 1024
const idleMs = 30_000

/** Of this file's own ending: `.ts` in a checkout, `.js` when compiled. */
const workerFile = new URL(`./digest-worker${extname(import.meta.url)}`, import.meta.url)

/** Digests, computed by a thread that is there while there is something large to compute. */
export class Digests {
  #next = 0
  #worker: Worker | undefined
  readonly #active = new Map<number, ThreadDigest>()
  #idle: NodeJS.Timeout | undefined

  open(): Digest {
    return new LazyDigest(() => this.#onThread())
  }

  async close(): Promise<void> {
    clearTimeout(this.#idle)
    const worker = this.#worker
    if (worker === undefined) return
    this.#lose(worker, new Error('the server is going down'))
    await worker.terminate()
  }

  #onThread(): ThreadDigest {
    clearTimeout(this.#idle)
    const worker = (this.#worker ??= this.#start())
    const id = (this.#next += 1)
    const digest = new ThreadDigest(
      id,
      (message, transferred) => worker.postMessage(message, transferred),
      () => this.#forget(id),
    )
    this.#active.set(id, digest)
    return digest
  }

  #start(): Worker {
    const worker = new Worker(workerFile, { name: 'digests' })
    worker.unref()
    worker.on('message', (message: FromDigester) => this.#active.get(message.id)?.hear(message))
    worker.on('error', (error) => this.#lose(worker, error))
    worker.on('exit', () => this.#lose(worker, new Error('the thread that computes digests ended')))
    return worker
  }

  /** Those that it was computing are lost with it; the next one has another thread, which that one's end is no matter to. */
  #lose(worker: Worker, error: Error): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    for (const digest of this.#active.values()) digest.fail(error)
    this.#active.clear()
  }

  #forget(id: number): void {
    this.#active.delete(id)
    if (this.#active.size > 0) return
    clearTimeout(this.#idle)
    this.#idle = setTimeout(() => void this.close(), idleMs).unref()
  }
}

/** Computes the digest of a little itself. */
class LazyDigest implements Digest {
  readonly #onThread: () => ThreadDigest
  #thread: ThreadDigest | undefined
  #kept: Buffer[] = []
  #bytes = 0

  constructor(onThread: () => ThreadDigest) {
    this.#onThread = onThread
  }

  async update(chunks: readonly Buffer[]): Promise<void> {
    if (this.#thread !== undefined) return this.#thread.update(chunks)
    this.#kept.push(...chunks)
    for (const { length } of chunks) this.#bytes += length
    if (this.#bytes <= smallBytes) return
    this.#thread = this.#onThread()
    const kept = this.#kept
    this.#kept = []
    await this.#thread.update(kept)
  }

  async sha256(): Promise<string> {
    if (this.#thread !== undefined) return this.#thread.sha256()
    const hash = createHash('sha256')
    for (const chunk of this.#kept) hash.update(chunk)
    return hash.digest('hex')
  }

  forget(): void {
    this.#kept = []
    this.#thread?.forget()
  }
}

type Post = (message: ToDigester, transferred?: readonly ArrayBuffer[]) => void

interface Waiting<T> {
  readonly resolve: (value: T) => void
  readonly reject: (error: Error) => void
}

class ThreadDigest implements Digest {
  readonly #id: number
  readonly #post: Post
  readonly #forgotten: () => void
  #waitingBytes = 0
  #room: Waiting<void>[] = []
  #asked: Waiting<string>[] = []
  #failed: Error | undefined

  constructor(id: number, post: Post, forgotten: () => void) {
    this.#id = id
    this.#post = post
    this.#forgotten = forgotten
  }

  async update(chunks: readonly Buffer[]): Promise<void> {
    if (this.#failed !== undefined) throw this.#failed
    const own = chunks.map(owned)
    for (const { length } of own) this.#waitingBytes += length
    this.#post(
      { kind: 'bytes', id: this.#id, chunks: own },
      own.map(({ buffer }) => buffer),
    )
    if (this.#waitingBytes > mostWaiting)
      await new Promise<void>((resolve, reject) => this.#room.push({ resolve, reject }))
  }

  async sha256(): Promise<string> {
    if (this.#failed !== undefined) throw this.#failed
    this.#post({ kind: 'ask', id: this.#id })
    return new Promise((resolve, reject) => this.#asked.push({ resolve, reject }))
  }

  forget(): void {
    if (this.#failed === undefined) this.#post({ kind: 'forget', id: this.#id })
    this.#forgotten()
  }

  hear(message: FromDigester): void {
    if (message.kind === 'digest') return this.#asked.shift()?.resolve(message.sha256)
    this.#waitingBytes -= message.bytes
    if (this.#waitingBytes <= mostWaiting) for (const { resolve } of this.#room.splice(0)) resolve()
  }

  fail(error: Error): void {
    this.#failed = error
    for (const { reject } of [...this.#room.splice(0), ...this.#asked.splice(0)]) reject(error)
  }
}

/** The chunk if its memory is its own, to be handed over; else a copy. */
function owned(chunk: Buffer): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, length } = chunk
  const isOwn = buffer instanceof ArrayBuffer && buffer.byteLength === length
  return isOwn ? new Uint8Array(buffer, byteOffset, length) : new Uint8Array(chunk)
}
