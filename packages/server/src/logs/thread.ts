import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Logger } from '../kit/logger.ts'
import type { Day } from './days.ts'
import type { LogQuery } from './log-store.ts'
import type { Found, FromThread, ThreadData, ToThread } from './messages.ts'

/** In a checkout this file ends in `.ts`, when compiled in `.js`; so does the worker. */
const workerFile = new URL(`./worker${extname(import.meta.url)}`, import.meta.url)

export interface ThreadListener {
  /** The oldest batch that was not answered is on disk, or given up. */
  appended(): void
  counted(day: Day, counts: readonly (readonly [owner: string, lines: number])[]): void
  /** The thread broke; whatever was on its way is lost. The next message starts another. */
  lost(): void
}

interface Waiter {
  readonly resolve: (found: Found) => void
  readonly reject: (error: Error) => void
}

/** The log thread as the rest of the server sees it: started by the first message, started again when it breaks. */
export class LogThread {
  readonly #data: ThreadData
  readonly #log: Logger
  readonly #listener: ThreadListener
  readonly #waiters = new Map<number, Waiter>()
  #worker: Worker | undefined
  #lastQuery = 0

  constructor(data: ThreadData, log: Logger, listener: ThreadListener) {
    this.#data = data
    this.#log = log
    this.#listener = listener
  }

  append(message: Omit<ToThread & { kind: 'append' }, 'kind'>): void {
    this.#send({ kind: 'append', ...message })
  }

  query(query: LogQuery, today: Day): Promise<Found> {
    const id = (this.#lastQuery += 1)
    return new Promise((resolve, reject) => {
      this.#waiters.set(id, { resolve, reject })
      this.#send({ kind: 'query', id, query, today })
    })
  }

  /** Finishes what was sent before. */
  async close(): Promise<void> {
    const worker = this.#worker
    if (worker === undefined) return
    const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
    this.#send({ kind: 'close' })
    await exited
  }

  #send(message: ToThread): void {
    this.#worker ??= this.#start()
    this.#worker.postMessage(message)
  }

  #start(): Worker {
    const worker = new Worker(workerFile, { workerData: this.#data, name: 'logs' })
    worker.on('message', (message: FromThread) => this.#receive(message))
    worker.on('error', (error) => this.#log.error({ err: error }, 'the log thread broke; another takes its place'))
    worker.on('exit', () => this.#forget(worker))
    return worker
  }

  #forget(worker: Worker): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    for (const { reject } of this.#waiters.values()) reject(new Error('the log thread ended before it answered'))
    this.#waiters.clear()
    this.#listener.lost()
  }

  #receive(message: FromThread): void {
    if (message.kind === 'appended') return this.#listener.appended()
    if (message.kind === 'counted') return this.#listener.counted(message.day, message.counts)
    if (message.kind === 'warning') return this.#log.warn(message.fields, message.message)
    const waiter = this.#waiters.get(message.id)
    this.#waiters.delete(message.id)
    if (message.kind === 'found') return waiter?.resolve(message)
    return waiter?.reject(new Error(`the log query failed: ${message.message}`))
  }
}
