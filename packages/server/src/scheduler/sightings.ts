import type { RunnerBackend } from '../backends/backend.ts'
import type { RunnerId } from '../domain/ids.ts'
import type { Sighting } from '../domain/runner.ts'
import type { Clock, Moment } from '../kit/clock.ts'

/** A look at the backend: at everything there, or at those of which it had something to tell. */
export interface Look {
  readonly listed: ReadonlyMap<RunnerId, Sighting>
  readonly isWhole: boolean
}

/** Looks at what the backend has something to tell of, and now and then at everything anyway. */
export class Sightings {
  readonly #backend: Pick<RunnerBackend, 'list'>
  readonly #clock: Clock
  readonly #everyMs: number
  #changed = new Set<RunnerId>()
  /** When everything was looked at. */
  #lookedAt: Moment = -Infinity

  constructor(backend: Pick<RunnerBackend, 'list'>, clock: Clock, everyMs: number) {
    this.#backend = backend
    this.#clock = clock
    this.#everyMs = everyMs
  }

  expectChange(id: RunnerId): void {
    this.#changed.add(id)
  }

  /** The next look is at everything. */
  expectAnything(): void {
    this.#lookedAt = -Infinity
  }

  /** What is there, or undefined when there is no reason to look. */
  async look(signal: AbortSignal): Promise<Look | undefined> {
    const now = this.#clock.now()
    const isWhole = now >= this.#lookedAt + this.#everyMs
    const changed = this.#changed
    if (!isWhole && changed.size === 0) return undefined
    this.#changed = new Set()
    if (isWhole) this.#lookedAt = now
    try {
      return isWhole ? { listed: await this.#backend.list(signal), isWhole } : await this.#lookAt(changed, signal)
    } catch (error) {
      this.expectAnything()
      throw error
    }
  }

  async #lookAt(changed: ReadonlySet<RunnerId>, signal: AbortSignal): Promise<Look> {
    const found = await this.#backend.list(signal, changed)
    const unlisted: Sighting = { kind: 'unlisted' }
    return { listed: new Map(Array.from(changed, (id) => [id, found.get(id) ?? unlisted] as const)), isWhole: false }
  }
}
