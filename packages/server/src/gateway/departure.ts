import type { ServerResponse } from 'node:http'
import { disconnected } from './body.ts'

/** Whether the connection has gone before the answer was out, and who is to hear of it. Nearly every call ends without, and pays little. */
export class Departure {
  #abort: AbortController | undefined
  #listener: (() => void) | undefined
  #gone = false

  constructor(res: ServerResponse) {
    res.on('close', () => void (res.writableFinished || this.#leave()))
  }

  get gone(): boolean {
    return this.#gone
  }

  throwIfGone(): void {
    if (this.#gone) throw disconnected()
  }

  /** Calls back when the caller leaves, instead of whom it would have told before; undefined: nobody. */
  tell(listener: (() => void) | undefined): void {
    this.#listener = listener
  }

  /** Aborted when the caller leaves. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController()
    if (this.#gone) this.#abort.abort(disconnected())
    return this.#abort.signal
  }

  #leave(): void {
    this.#gone = true
    this.#abort?.abort(disconnected())
    this.#listener?.()
  }
}
