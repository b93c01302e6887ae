import type { Clock, Moment } from '../kit/clock.ts'

interface Alarm {
  readonly at: Moment
  readonly timer: NodeJS.Timeout
}

/** Longer timers would fire at once. */
const longestMs = 2 ** 31 - 1

/** One alarm for each name: setting it again moves it. */
export class Alarms {
  readonly #clock: Clock
  readonly #ring: (name: string) => void
  readonly #alarms = new Map<string, Alarm>()

  constructor(clock: Clock, ring: (name: string) => void) {
    this.#clock = clock
    this.#ring = ring
  }

  set(name: string, at: Moment | undefined): void {
    const before = this.#alarms.get(name)
    if (before?.at === at) return
    clearTimeout(before?.timer)
    if (at === undefined) this.#alarms.delete(name)
    else this.#alarms.set(name, { at, timer: this.#timer(name, at) })
  }

  clear(): void {
    for (const { timer } of this.#alarms.values()) clearTimeout(timer)
    this.#alarms.clear()
  }

  #timer(name: string, at: Moment): NodeJS.Timeout {
    const wait = Math.min(Math.max(0, at - this.#clock.now()), longestMs)
    return setTimeout(() => (this.#alarms.delete(name), this.#ring(name)), wait)
  }
}
