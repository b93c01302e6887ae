/** How something is stopped in its tracks, and goes on. Both may be repeated. */
export interface Brake {
  readonly stop: (signal: AbortSignal) => Promise<void>
  readonly go: (signal: AbortSignal) => Promise<void>
}

/** Whether something is frozen, and the way there and back: one step after the other, whoever asks for them. */
export class Frozen {
  readonly #brake: Brake
  #mayBe = false
  #last: Promise<unknown> = Promise.resolve()

  constructor(brake: Brake) {
    this.#brake = brake
  }

  /** Rejects where that could not be: then it goes on. */
  freeze(signal: AbortSignal): Promise<void> {
    return this.#next(async () => {
      if (this.#mayBe) return
      this.#mayBe = true // also where the answer is lost
      try {
        await this.#brake.stop(signal)
      } catch (error) {
        await this.#brake.go(signal)
        this.#mayBe = false
        throw error
      }
    })
  }

  /** It goes on when this resolves; at once where it was not frozen. */
  thaw(signal: AbortSignal): Promise<void> {
    return this.#next(async () => {
      if (!this.#mayBe) return
      await this.#brake.go(signal)
      this.#mayBe = false
    })
  }

  #next(step: () => Promise<void>): Promise<void> {
    const done = this.#last.then(step)
    this.#last = done.catch(() => {})
    return done
  }
}
