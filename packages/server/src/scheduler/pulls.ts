import type { RunnerId } from '../domain/ids.ts'
import type { Look } from './sightings.ts'

/**
 * The runners whose images are being pulled, as the backend said last, or what they run in is being built again: their time
 * in setup has not begun.
 */
export class Pulls {
  readonly #pulling = new Set<RunnerId>()
  readonly #ended = new Set<RunnerId>()
  #building: ReadonlySet<RunnerId> = new Set()

  /** Those that were pulled for, and are not any more; until it is settled that everybody knows. */
  get ended(): ReadonlySet<RunnerId> {
    return this.#ended
  }

  has(id: RunnerId): boolean {
    return this.#pulling.has(id) || this.#building.has(id)
  }

  /** No backend knows it yet. */
  isBuilding(id: RunnerId): boolean {
    return this.#building.has(id)
  }

  /** `building`: those whose start cannot begin before something is built. */
  learn(look: Look | undefined, building: Iterable<RunnerId> = []): void {
    for (const [id, { kind }] of look?.listed ?? []) {
      if (kind === 'pulling') this.#pulling.add(id)
      else if (this.#pulling.delete(id)) this.#ended.add(id)
    }
    const built = [...this.#building]
    this.#building = new Set(building)
    for (const id of built) if (!this.#building.has(id)) this.#ended.add(id)
  }

  /** What was learnt is on disk. Forgets those that are gone. */
  settle(isThere: (id: RunnerId) => boolean): void {
    this.#ended.clear()
    for (const id of this.#pulling) if (!isThere(id)) this.#pulling.delete(id)
  }
}
