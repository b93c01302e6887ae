import type { RunnerId } from '../domain/ids.ts'
import { isExceeded, type Exceeded, type Terminated } from '../domain/runner.ts'

const mostKept = 1_000
/** A broken connection is seen some moments before the end of the runner behind it. */
const patienceMs = 5_000

/** What runners wanted too much of that ended lately, for those whose calls broke off with them. */
export class PostMortems {
  readonly #lives: (id: RunnerId) => boolean
  readonly #found = new Map<RunnerId, Exceeded>()
  readonly #waiting = new Map<RunnerId, PromiseWithResolvers<void>>()

  constructor(lives: (id: RunnerId) => boolean) {
    this.#lives = lives
  }

  ended({ id, reason }: Terminated): void {
    if (isExceeded(reason)) this.#found.set(id, reason)
    const [oldest] = this.#found.keys()
    if (this.#found.size > mostKept && oldest !== undefined) this.#found.delete(oldest)
    this.#waiting.get(id)?.resolve()
    this.#waiting.delete(id)
  }

  /** What it wanted too much of, if that has ended it; waits a little for one whose end is not known yet. */
  async whatExceeded(id: RunnerId): Promise<Exceeded | undefined> {
    if (this.#found.has(id) || !this.#lives(id)) return this.#found.get(id)
    const ended = this.#waiting.get(id) ?? Promise.withResolvers<void>()
    this.#waiting.set(id, ended)
    const timer = setTimeout(() => ended.resolve(), patienceMs)
    await ended.promise
    clearTimeout(timer)
    if (this.#waiting.get(id) === ended) this.#waiting.delete(id)
    return this.#found.get(id)
  }
}
