import type { ChildProcess } from 'node:child_process'

/** How long no other runner has begun to serve: a fork holds the server up. */
const quietMs = 1_000

/**
 * One process that was begun ahead of time and waits to be told what to become, so that the next start waits for
 * neither a fork of the server, which copies its page tables, nor an interpreter. It holds about 7 MiB, and ends when its
 * pipes do, whatever becomes of the server.
 */
export class Spare {
  readonly #begin: () => ChildProcess
  #waiting: ChildProcess | undefined
  #soon: NodeJS.Timeout | undefined
  #closed = false

  constructor(begin: () => ChildProcess) {
    this.#begin = begin
  }

  /** Has one wait, in a moment: whoever asks has a runner that serves from now on, and its first request comes before. */
  prepare(): void {
    if (this.#waiting !== undefined || this.#closed) return
    clearTimeout(this.#soon)
    this.#soon = setTimeout(() => this.#start(), quietMs).unref()
  }

  /** The one that waits, which is the caller's from now on. */
  take(): ChildProcess | undefined {
    const child = this.#waiting
    this.#waiting = undefined
    return child
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#soon)
    this.take()?.kill('SIGKILL')
  }

  #start(): void {
    const child = this.#begin()
    const lost = () => {
      if (this.#waiting === child) this.#waiting = undefined
    }
    child.once('error', lost).once('exit', lost)
    if (child.pid !== undefined) this.#waiting = child
  }
}
