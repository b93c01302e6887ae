/** What a runner may say: in a second, and at once after a while of saying little. A line costs as much as so many bytes. */
const perSecond = 2 * 1024 * 1024
const atOnce = 2 * perSecond
const lineCost = 512

/** Tells how long a runner must be kept waiting that says too much. One that says little never waits. */
export class Pace {
  readonly #now: () => number
  /** All that it has cost so far. */
  spent = 0
  #left = atOnce
  #at: number

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
    this.#at = now()
  }

  spend(cost: number): void {
    this.#refill()
    this.#left -= cost
    this.spent += cost
  }

  spendLine(): void {
    this.#left -= lineCost
    this.spent += lineCost
  }

  /** Milliseconds until more may be read of it; 0 when that is now. */
  get restMs(): number {
    this.#refill()
    return this.#left >= 0 ? 0 : Math.ceil((-this.#left / perSecond) * 1_000)
  }

  #refill(): void {
    const now = this.#now()
    this.#left = Math.min(atOnce, this.#left + ((now - this.#at) / 1_000) * perSecond)
    this.#at = now
  }
}
