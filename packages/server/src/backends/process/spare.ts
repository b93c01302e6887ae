import type { ChildProcess } from 'node:child_process'

/**
 * One process that was begun ahead of time and waits to be told what to become, so that the next start waits for
 * neither a fork of the server, which copies its page tables, nor an interpreter. It holds about 7 MiB, and ends when its
 * pipes do, whatever becomes of the server.
 */
export class Spare {
  readonly #begin: () => ChildProcess
  #waiting: ChildProcess | undefined
  #closed = false

  constructor(begin: () => ChildProcess) {
    this.#begin = begin
  }

  /** Has one wait. For when nobody is in a hurry. */
  prepare(): void {
    if (this.#waiting !== undefined || this.#closed) return
    const child = this.#begin()
    const lost = () => {
      if (this.#waiting === child) this.#waiting = undefined
    }
    child.once('error', lost).once('exit', lost)
    if (child.pid !== undefined) this.#waiting = child
  }

  /** The one that waits, which is the caller's from now on. */
  take(): ChildProcess | undefined {
    const child = this.#waiting
    this.#waiting = undefined
    return child
  }

  close(): void {
    this.#closed = true
    this.take()?.kill('SIGKILL')
  }
}
