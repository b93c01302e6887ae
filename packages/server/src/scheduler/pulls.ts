import type { RunnerId } from '../domain/ids.ts'
import type { Look } from './sightings.ts'

/** The runners whose images are being pulled, as the backend said last: their time in setup has not begun. */
export class Pulls {
  readonly #pulling = new Set<RunnerId>()
  readonly #ended = new Set<RunnerId>()

  /** Those that were pulled for, and are not any more; until it is settled that everybody knows. */
  get ended(): ReadonlySet<RunnerId> {
    return this.#ended
  }

  has(id: RunnerId): boolean {
    return this.#pulling.has(id)
  }

  learn(look: Look | undefined): void {
    for (const [id, { kind }] of look?.listed ?? []) {
      if (kind === 'pulling') this.#pulling.add(id)
      else if (this.#pulling.delete(id)) this.#ended.add(id)
    }
  }

  /** What was learnt is on disk. Forgets those that are gone. */
  settle(isThere: (id: RunnerId) => boolean): void {
    this.#ended.clear()
    for (const id of this.#pulling) if (!isThere(id)) this.#pulling.delete(id)
  }
}
