import type { ReadAnswer } from './messages.ts'
import type { PackedRead } from './reader.ts'
import type { Thread } from './thread.ts'

interface Asked {
  readonly read: PackedRead
  readonly resolve: (answer: ReadAnswer) => void
  readonly reject: (error: unknown) => void
}

/**
 * Reads on their way to the reader's thread. Those that are asked within one turn of the event loop share a message, because
 * a message costs more than most reads.
 */
export class Reads {
  readonly #thread: Thread<readonly PackedRead[], readonly ReadAnswer[]>
  #gathered: Asked[] = []
  #sent = 0

  constructor(thread: Thread<readonly PackedRead[], readonly ReadAnswer[]>) {
    this.#thread = thread
  }

  /** How many are not answered yet. */
  get waiting(): number {
    return this.#gathered.length + this.#sent
  }

  ask(read: PackedRead): Promise<ReadAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#gathered.push({ read, resolve, reject }) === 1) setImmediate(() => this.#send())
    })
  }

  /** Ends the thread after the reads that were asked before. */
  close(): Promise<void> {
    this.#send()
    return this.#thread.close()
  }

  #send(): void {
    const batch = this.#gathered
    if (batch.length === 0) return
    this.#gathered = []
    this.#sent += batch.length
    const answered = (tell: (asked: Asked, at: number) => void) => {
      this.#sent -= batch.length
      batch.forEach(tell)
    }
    this.#thread.ask(batch.map(({ read }) => read)).then(
      (answers) => answered(({ resolve }, at) => resolve(answers[at]!)),
      (error: unknown) => answered(({ reject }) => reject(error)),
    )
  }
}
