import type { RunnerBackend } from '../backends/backend.ts'
import type { RunnerId } from '../domain/ids.ts'
import type { Sighting } from '../domain/runner.ts'
import type { Clock, Moment } from '../kit/clock.ts'

/** Looks at the backend when it has something to tell, and now and then anyway. */
export class Sightings {
  readonly #backend: Pick<RunnerBackend, 'list'>
  readonly #clock: Clock
  readonly #everyMs: number
  #changed = true
  #lookedAt: Moment = 0

  constructor(backend: Pick<RunnerBackend, 'list'>, clock: Clock, everyMs: number) {
    this.#backend = backend
    this.#clock = clock
    this.#everyMs = everyMs
  }

  expectChange(): void {
    this.#changed = true
  }

  /** What is there, or undefined when there is no reason to look. */
  async look(signal: AbortSignal): Promise<ReadonlyMap<RunnerId, Sighting> | undefined> {
    const now = this.#clock.now()
    if (!this.#changed && now < this.#lookedAt + this.#everyMs) return undefined
    this.#changed = false
    this.#lookedAt = now
    try {
      return await this.#backend.list(signal)
    } catch (error) {
      this.#changed = true
      throw error
    }
  }
}
