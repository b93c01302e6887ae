import { createHash } from 'node:crypto'
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { blockBytes } from './blocks.ts'
import type { FromDigester, ToDigester } from './digest-messages.ts'

/** SHA-256 of bytes that come little by little. */
export interface Digest {
  /** Resolves when it has looked at the piece, which may change then. The next need not wait for that. */
  update(piece: Uint8Array): Promise<void>
  /** Of all so far. */
  sha256(): Promise<string>
  /** It is not needed any more. */
  forget(): void
}

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
      (message) => worker.postMessage(message),
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

/** Computes the digest of less than a block itself. */
class LazyDigest implements Digest {
  readonly #onThread: () => ThreadDigest
  #thread: ThreadDigest | undefined
  /** All that has come so far, until there is a thread for it. */
  #kept: Uint8Array = new Uint8Array()

  constructor(onThread: () => ThreadDigest) {
    this.#onThread = onThread
  }

  async update(piece: Uint8Array): Promise<void> {
    if (this.#thread !== undefined) return this.#thread.update(piece)
    const kept = this.#kept
    if (kept.length + piece.length < blockBytes) return void (this.#kept = Buffer.concat([kept, piece]))
    this.#thread = this.#onThread()
    this.#kept = new Uint8Array()
    await Promise.all([this.#thread.update(kept), this.#thread.update(piece)])
  }

  async sha256(): Promise<string> {
    return this.#thread?.sha256() ?? createHash('sha256').update(this.#kept).digest('hex')
  }

  forget(): void {
    this.#kept = new Uint8Array()
    this.#thread?.forget()
  }
}

type Post = (message: ToDigester) => void

interface Waiting<T> {
  readonly resolve: (value: T) => void
  readonly reject: (error: Error) => void
}

class ThreadDigest implements Digest {
  readonly #id: number
  readonly #post: Post
  readonly #forgotten: () => void
  readonly #looking: Waiting<void>[] = []
  readonly #asked: Waiting<string>[] = []
  #failed: Error | undefined

  constructor(id: number, post: Post, forgotten: () => void) {
    this.#id = id
    this.#post = post
    this.#forgotten = forgotten
  }

  async update(piece: Uint8Array): Promise<void> {
    if (this.#failed !== undefined) throw this.#failed
    this.#post({ kind: 'bytes', id: this.#id, piece })
    await new Promise<void>((resolve, reject) => this.#looking.push({ resolve, reject }))
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
    if (message.kind === 'digest') this.#asked.shift()?.resolve(message.sha256)
    else this.#looking.shift()?.resolve()
  }

  fail(error: Error): void {
    this.#failed = error
    for (const { reject } of [...this.#looking.splice(0), ...this.#asked.splice(0)]) reject(error)
  }
}
