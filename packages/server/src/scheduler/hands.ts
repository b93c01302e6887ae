import { setImmediate as turn } from 'node:timers/promises'
import type { RunnerBackend } from '../backends/backend.ts'
import type { RunnerId } from '../domain/ids.ts'
import type { Logger } from '../kit/logger.ts'
import type { Change } from './fleet.ts'
import { limitsOf } from './hardware.ts'
import type { Launch, Launched, RunnerStart } from './launch.ts'
import type { Masks } from './masks.ts'

export interface HandsParts {
  readonly backend: RunnerBackend
  readonly launch: Launch
  readonly log: Logger
  readonly masks: Pick<Masks, 'cover' | 'uncover'>
  /** Told of a runner whose program runs. */
  readonly onLaunched: (id: RunnerId) => Promise<void>
  /** Told of a start that the backend refused. */
  readonly onRefused: (start: RunnerStart, error: unknown) => void
}

/** Does to the backend what was decided: one thing at a time per runner, many runners at once. What fails is seen by a later pass. */
export class Hands {
  readonly #parts: HandsParts
  readonly #atWork = new Map<RunnerId, Promise<void>>()
  readonly #prepared = new Map<RunnerId, Promise<Launched>>()
  /** Runners whose start is being prepared: what they run in may have to be made first. */
  readonly #preparing = new Set<RunnerId>()
  readonly #signal: AbortSignal

  constructor(parts: HandsParts, signal: AbortSignal) {
    this.#parts = parts
    this.#signal = signal
  }

  /**
   * Gathers what starts need, and has it made ready, while their records are on their way to the disk, which are sent there
   * first; nothing is begun yet.
   */
  prepare(changes: readonly Change[]): void {
    const { backend, launch } = this.#parts
    for (const { start } of changes) {
      if (start === undefined) continue
      const { id, appId, revisionId, placement } = start.runner
      const made = turn().then(() => {
        const gathered = launch(start) // which waits for others
        backend.prepare?.({ id, appId, revisionId, ...limitsOf(placement) })
        return gathered
      })
      made.catch(() => {}) // whoever starts it is told
      this.#prepared.set(id, made)
    }
  }

  /** What was prepared and is not stored after all is planned anew, as another runner. */
  letGo(): void {
    const { backend } = this.#parts
    for (const id of this.#prepared.keys()) {
      if (backend.prepare === undefined) break
      this.#do(id, 'let go of', async () => {
        await turn() // a refusal may come before it is prepared at all
        await backend.forget(id)
      })
    }
    this.#prepared.clear()
  }

  /** Does what a stored change calls for. */
  take({ from, to, start }: Change): void {
    if (to.state === 'setup' && start) this.#start(start)
    // Who is killed has no time to end, and is not asked to: how far it came would be chance.
    if (to.state === 'draining' && from?.state !== 'draining' && to.reason !== 'killed') this.#terminate(to.id)
    if (to.state === 'terminated' && from?.state !== 'pending') this.end(to.id)
  }

  get preparing(): ReadonlySet<RunnerId> {
    return this.#preparing
  }

  isFree(id: RunnerId): boolean {
    return !this.#atWork.has(id)
  }

  /** Ends it without asking. */
  kill(id: RunnerId): void {
    this.#do(id, 'kill', () => this.#parts.backend.kill(id, this.#signal))
  }

  /** Ends whatever is left of it, and forgets it. */
  end(id: RunnerId): void {
    this.#do(id, 'end', async () => {
      await this.#parts.backend.kill(id, this.#signal)
      await this.#parts.backend.forget(id)
      this.#parts.masks.uncover(id) // it is gone: no line of it can come any more
    })
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    while (this.#atWork.size > 0) await Promise.all(this.#atWork.values())
  }

  #start(start: RunnerStart): void {
    const { backend, launch, masks, onLaunched, onRefused } = this.#parts
    const prepared = this.#prepared.get(start.runner.id)
    this.#prepared.delete(start.runner.id)
    this.#preparing.add(start.runner.id)
    this.#do(start.runner.id, 'start', async () => {
      try {
        const { spec, hidden } = await (prepared ?? launch(start)).finally(() =>
          this.#preparing.delete(start.runner.id),
        )
        masks.cover(spec.id, hidden)
        await backend.start(spec, this.#signal)
      } catch (error) {
        onRefused(start, error)
        throw error
      }
      await onLaunched(start.runner.id)
    })
  }

  #terminate(id: RunnerId): void {
    this.#do(id, 'terminate', () => this.#parts.backend.terminate(id, this.#signal))
  }

  #do(id: RunnerId, what: string, act: () => Promise<void>): void {
    const before = this.#atWork.get(id)
    const work = (before ? before.then(act) : act())
      .catch((error: unknown) => this.#parts.log.warn({ err: error, runner: id }, `could not ${what} a runner`))
      .finally(() => {
        if (this.#atWork.get(id) === work) this.#atWork.delete(id)
      })
    this.#atWork.set(id, work)
  }
}
