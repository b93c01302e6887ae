import type { Clock, Moment } from '../kit/clock.ts'

/** Rings once, at the earliest moment it was set to. */
export class Alarm {
  readonly #clock: Clock
  readonly #ring: () => void
  #at = Infinity
  #timer: NodeJS.Timeout | undefined

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock
    this.#ring = ring
  }

  /** Forgets what it was set to before. Rings at once for a moment that has passed. */
  set(moments: readonly Moment[]): void {
    const now = this.#clock.now()
    this.#at = Math.min(...moments, Infinity)
    clearTimeout(this.#timer)
    // Later ones are met by the passes that are made anyway.
    if (this.#at - now < longestMs) this.#timer = setTimeout(this.#ring, Math.max(0, this.#at - now)).unref()
  }

  clear(): void {
    clearTimeout(this.#timer)
    this.#at = Infinity
  }
}

const longestMs = 60_000
