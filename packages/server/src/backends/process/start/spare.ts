import { setTimeout as pause } from 'node:timers/promises'
import type { Begun } from './fork-server.ts'

/** How long no other runner has begun to serve: its first request comes before. */
const quietMs = 1_000
const endMs = 2_000

/**
 * One process that was begun ahead of time and waits to be told what to become, so that the next start waits for no fork.
 * It shares nearly all of its memory with the one that forked it, and ends when its pipes do, whatever becomes of the server.
 */
export class Spare {
  readonly #begin: () => Promise<Begun>
  readonly #seen: () => string
  #waiting: Begun | undefined
  /** What there was to see when it was begun. */
  #saw = ''
  #soon: NodeJS.Timeout | undefined
  #closed = false

  /** One is of no use any more once what is `seen` is not what it was. */
  constructor(begin: () => Promise<Begun>, seen: () => string = () => '') {
    this.#begin = begin
    this.#seen = seen
  }

  /** Has one wait, in a moment: whoever asks has a runner that serves from now on, and its first request comes before. */
  prepare(): void {
    if (this.#waiting !== undefined || this.#closed) return
    clearTimeout(this.#soon)
    this.#soon = setTimeout(() => void this.#start(), quietMs).unref()
  }

  /** The one that waits, which is the caller's from now on. */
  take(): Begun | undefined {
    const begun = this.#waiting
    this.#waiting = undefined
    if (begun === undefined || this.#seen() === this.#saw) return begun
    dismiss(begun)
    return undefined
  }

  /** Resolves when the one that waited has ended, for its groups cannot be removed before; not much later in any case. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#soon)
    const begun = this.#waiting
    this.#waiting = undefined
    if (begun === undefined) return
    dismiss(begun)
    await Promise.race([begun.exited, pause(endMs, undefined, { ref: false })])
  }

  async #start(): Promise<void> {
    const saw = this.#seen()
    const begun = await this.#begin().catch(() => undefined) // the next start says why there is none
    if (begun === undefined) return
    if (this.#closed || this.#waiting !== undefined) return dismiss(begun)
    this.#waiting = begun
    this.#saw = saw
    await begun.exited
    if (this.#waiting === begun) this.#waiting = undefined
  }
}

/** One that is told nothing ends. */
export function dismiss({ told, stdout, stderr, word }: Begun): void {
  for (const pipe of [told, stdout, stderr, word]) pipe.on('error', () => {}).destroy()
}
