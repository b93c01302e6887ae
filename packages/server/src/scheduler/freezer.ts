import type { BackendFreezer } from '../backends/backend.ts'
import type { App } from '../domain/app.ts'
import { freezeAfterMs, freezeStep, type FreezeAfter } from '../domain/freezing.ts'
import type { AppId, RunnerId } from '../domain/ids.ts'
import type { Apps } from '../home/apps.ts'
import type { Homes } from '../home/home.ts'
import type { Clock, Moment } from '../kit/clock.ts'
import type { Logger } from '../kit/logger.ts'
import type { Change, Fleet } from './fleet.ts'
import type { AppWorld } from './plan.ts'

export interface FreezerParts {
  /** Absent where runners cannot be frozen. */
  readonly backend: BackendFreezer | undefined
  readonly apps: Pick<Apps, 'byId'>
  readonly homes: Pick<Homes, 'of' | 'find' | 'freezes'>
  readonly fleet: Pick<Fleet, 'get'>
  readonly clock: Clock
  readonly log: Logger
  /** For apps whose owner has said nothing; 0 is never. */
  readonly freezeAfterSeconds: number
  /** A runner of this app can be looked at anew: it goes on, or nobody is at it any more. */
  readonly onNews: (appId: AppId) => void
  /** A runner does not go on: it is to be ended. */
  readonly onStuck: (id: RunnerId) => void
}

interface Frozen {
  readonly appId: AppId
  /** Whether it is; false where it could not be. */
  readonly isFrozen: Promise<boolean>
  thawing?: Promise<void>
}

/** An engine that has just been started anew may take this long. */
const patienceMs = 30_000

/**
 * Stops idle runners in their tracks where their owner wants that, and lets them go on when something is sent to them. What
 * is decided is in `domain/freezing.ts`; a runner's life, its idle time and its end are as if it were not frozen.
 */
export class Freezer {
  readonly #parts: FreezerParts
  readonly #frozen = new Map<RunnerId, Frozen>()
  /** Runners that somebody is at, and how many are. */
  readonly #attended = new Map<RunnerId, number>()
  /** It did not work with these: it is not tried again. */
  readonly #unable = new Set<RunnerId>()

  constructor(parts: FreezerParts) {
    this.#parts = parts
  }

  isFrozen(id: RunnerId): boolean {
    return this.#frozen.has(id)
  }

  /** Freezes what is to be frozen, and answers when there may be more to do. */
  look({ app, active, runners }: AppWorld, now: Moment): readonly Moment[] {
    if (this.#parts.backend === undefined || app === undefined || active?.spec.run !== undefined) return []
    const after = this.#after(app)
    if (after === undefined && this.#frozen.size === 0) return []
    return runners.flatMap((loaded) => {
      const { id } = loaded.runner
      if (this.#unable.has(id)) return []
      const step = freezeStep(loaded, { afterMs: after, isAttended: this.#attended.has(id) }, now)
      if (step === 'freeze') this.#freeze(id, app.id)
      if (step === 'thaw') this.#letGoOn(id)
      return typeof step === 'object' ? [step.lookAt] : []
    })
  }

  /** Lets it go on. Rejects when it does not, in words for its callers. */
  async thaw(id: RunnerId): Promise<void> {
    const frozen = this.#frozen.get(id)
    if (frozen === undefined) return
    frozen.thawing ??= this.#thaw(id, frozen)
    await frozen.thawing
  }

  /** It is not frozen until this is disposed of. Only for one that is not frozen now. */
  hold(id: RunnerId): Disposable {
    this.#attended.set(id, (this.#attended.get(id) ?? 0) + 1)
    return { [Symbol.dispose]: () => this.#leave(id) }
  }

  /** It goes on, and is not frozen until this is disposed of. */
  async attend(id: RunnerId): Promise<Disposable> {
    const held = this.hold(id)
    try {
      await this.thaw(id)
      return held
    } catch (error) {
      held[Symbol.dispose]()
      throw error
    }
  }

  /** Learns from a change that is on disk: one that ends goes on to do so. */
  learn({ to }: Change): void {
    if (to.state === 'draining') this.#letGoOn(to.id)
    if (to.state !== 'terminated') return
    this.#unable.delete(to.id)
    if (this.#frozen.delete(to.id)) this.#parts.homes.find(to.appId)?.thawed(to.id)
  }

  /** What serves one revision of an app is frozen as the app is. */
  #after(app: App): FreezeAfter {
    const { apps, freezeAfterSeconds } = this.#parts
    const known = app.revisionOf === undefined ? undefined : apps.byId(app.revisionOf)?.app
    return freezeAfterMs(known ?? app, freezeAfterSeconds)
  }

  #freeze(id: RunnerId, appId: AppId): void {
    const { backend, homes, fleet } = this.#parts
    if (backend === undefined || this.#frozen.has(id) || fleet.get(id)?.state !== 'serving') return
    if (!homes.of(appId).freeze(id, () => this.thaw(id))) return // it has got something to do meanwhile
    const isFrozen = backend.freeze(id, AbortSignal.timeout(patienceMs)).then(
      () => (homes.freezes.freezes += 1) > 0,
      (error: unknown) => this.#refused(id, appId, error),
    )
    this.#frozen.set(id, { appId, isFrozen })
  }

  #refused(id: RunnerId, appId: AppId, error: unknown): false {
    const { homes, log } = this.#parts
    log.warn({ err: error, runner: id }, 'a runner could not be frozen, so it is left as it is')
    this.#unable.add(id)
    this.#frozen.delete(id)
    homes.of(appId).thawed(id)
    return false
  }

  async #thaw(id: RunnerId, { appId, isFrozen }: Frozen): Promise<void> {
    const { backend, homes, onNews } = this.#parts
    const began = performance.now()
    if (!(await isFrozen)) return
    try {
      await backend?.thaw(id, AbortSignal.timeout(patienceMs))
    } catch (error) {
      throw this.#stuck(id, appId, error)
    }
    homes.freezes.thaws += 1
    homes.freezes.thawMs += performance.now() - began
    this.#frozen.delete(id)
    homes.of(appId).thawed(id)
    onNews(appId)
  }

  #stuck(id: RunnerId, appId: AppId, cause: unknown): Error {
    const { homes, log, onStuck } = this.#parts
    log.warn({ err: cause, runner: id }, 'a frozen runner does not go on, so it is ended')
    homes.freezes.failedThaws += 1
    homes.of(appId).retire(id)
    onStuck(id)
    return new Error(`The runner was frozen and could not go on`, { cause })
  }

  /** Where nobody waits for it: what fails is seen to. */
  #letGoOn(id: RunnerId): void {
    this.thaw(id).catch(() => {})
  }

  #leave(id: RunnerId): void {
    const left = (this.#attended.get(id) ?? 1) - 1
    if (left > 0) return void this.#attended.set(id, left)
    this.#attended.delete(id)
    const { fleet, apps, onNews } = this.#parts
    const appId = fleet.get(id)?.appId
    const app = appId && apps.byId(appId)?.app
    if (app && this.#after(app) !== undefined) onNews(app.id)
  }
}
