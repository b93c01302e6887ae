import type { RevisionId, RunnerId } from '../domain/ids.ts'
import type { LiveRunner } from '../domain/runner.ts'

/** One app's live runners, oldest first, counted as they come and go: the counts cost the same however many there are. */
export class AppRunners {
  readonly #byId = new Map<RunnerId, LiveRunner>()
  readonly #able = new Map<RevisionId, number>()
  #draining = 0

  get size(): number {
    return this.#byId.size
  }

  get all(): readonly LiveRunner[] {
    return [...this.#byId.values()]
  }

  get draining(): number {
    return this.#draining
  }

  /** How many of a revision serve or will serve. */
  ableOf(revisionId: RevisionId): number {
    return this.#able.get(revisionId) ?? 0
  }

  put(runner: LiveRunner): void {
    const before = this.#byId.get(runner.id)
    if (before !== undefined) this.#count(before, -1)
    this.#byId.set(runner.id, runner)
    this.#count(runner, 1)
  }

  drop(id: RunnerId): void {
    const before = this.#byId.get(id)
    if (before !== undefined) this.#count(before, -1)
    this.#byId.delete(id)
  }

  #count({ state, revisionId }: LiveRunner, change: 1 | -1): void {
    if (state === 'draining') {
      this.#draining += change
      return
    }
    const able = this.ableOf(revisionId) + change
    if (able === 0) this.#able.delete(revisionId)
    else this.#able.set(revisionId, able)
  }
}
