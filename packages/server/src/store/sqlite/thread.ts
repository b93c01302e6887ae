import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'

/** A file of this folder, with this file's own ending: `.ts` in a checkout, `.js` when compiled. */
const beside = (name: string) => new URL(`./${name}${extname(import.meta.url)}`, import.meta.url)

interface Waiter<Answer> {
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: Error) => void
}

/** A worker thread that answers messages one by one, in the order they came. */
export class Thread<Question, Answer> {
  readonly #worker: Worker
  readonly #exited: Promise<void>
  #waiters: Waiter<Answer>[] = []
  #closing = false

  private constructor(worker: Worker) {
    this.#worker = worker
    this.#exited = new Promise((resolve) => worker.once('exit', () => resolve()))
  }

  /** Resolves when the thread is ready to answer. `lost` is told when it ends without having been asked to. */
  static async start<Question, Answer>(
    { name, data }: { readonly name: string; readonly data: object },
    lost: (error: Error) => void,
  ): Promise<Thread<Question, Answer>> {
    const worker = new Worker(beside(name), { workerData: data, name: `store ${name}` })
    await new Promise<void>((resolve, reject) => {
      worker.once('message', () => resolve())
      worker.once('error', reject)
      worker.once('exit', () => reject(new Error(`the store's ${name} ended before it was ready`)))
    })
    const thread = new Thread<Question, Answer>(worker)
    thread.#listen(name, lost)
    return thread
  }

  /** The buffers of the question that are handed over are not copied, and are empty here afterwards. */
  ask(question: Question, handedOver: readonly ArrayBuffer[] = []): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject })
      this.#worker.postMessage(question, handedOver)
    })
  }

  /** Ends the thread after the questions that were asked before. */
  async close(): Promise<void> {
    this.#closing = true
    this.#worker.postMessage('close')
    await this.#exited
  }

  #listen(name: string, lost: (error: Error) => void): void {
    const fail = (error: Error) => {
      for (const { reject } of this.#waiters.splice(0)) reject(error)
      if (!this.#closing) lost(error)
      this.#closing = true // an error is followed by the end of the thread: that is one loss, not two
    }
    this.#worker.on('message', (answer: Answer) => this.#waiters.shift()?.resolve(answer))
    this.#worker.on('error', fail)
    this.#worker.on('exit', () => fail(new Error(`the store's ${name} has ended`)))
  }
}
