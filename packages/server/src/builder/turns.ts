interface Waiter {
  readonly start: () => void
}

/** Lets so many run at a time; the others wait, first come first served. */
export class Turns {
  readonly #most: number
  #running = 0
  #waiting: Waiter[] = []

  constructor(most: number) {
    this.#most = most
  }

  /** Does a task when it is its turn. `onWait` hears how many come before it. */
  async run<T>(task: () => Promise<T>, signal: AbortSignal, onWait: (ahead: number) => void): Promise<T> {
    signal.throwIfAborted()
    if (this.#running >= this.#most) await this.#wait(signal, onWait)
    else this.#running += 1
    try {
      return await task()
    } finally {
      this.#giveBack()
    }
  }

  #wait(signal: AbortSignal, onWait: (ahead: number) => void): Promise<void> {
    onWait(this.#running + this.#waiting.length)
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting = this.#waiting.filter((other) => other !== waiter)
        reject(signal.reason)
      }
      const waiter: Waiter = { start: () => (signal.removeEventListener('abort', leave), resolve()) }
      this.#waiting.push(waiter)
      signal.addEventListener('abort', leave, { once: true })
    })
  }

  /** The turn goes to the next one directly, so that no newcomer comes between. */
  #giveBack(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#running -= 1
    else next.start()
  }
}
