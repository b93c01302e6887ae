import type { AccountId, AppId } from '../domain/ids.ts'
import { splitRevision } from '../domain/names.ts'
import type { Placed } from '../domain/placement.ts'
import type { Replacement, RunnerView } from '../domain/runner-view.ts'
import type { LiveRunner, Runner } from '../domain/runner.ts'
import type { Apps } from '../home/apps.ts'
import type { Homes } from '../home/home.ts'
import type { Clock, Moment } from '../kit/clock.ts'
import { appNames } from '../store/apps.ts'
import { endedRunnersSince } from '../store/runners.ts'
import type { Store } from '../store/store.ts'
import type { Fleet } from './fleet.ts'
import { viewOfEnded, viewOfLive } from './listing.ts'
import type { Memory } from './memory.ts'
import type { Placing } from './placing.ts'
import { noLoad, withLoad } from './worlds.ts'

export interface RosterParts {
  readonly apps: Apps
  readonly homes: Homes
  readonly store: Store
  readonly clock: Clock
  readonly fleet: Pick<Fleet, 'all' | 'ofAccount'>
  readonly memory: Pick<Memory, 'replacing' | 'pulls'>
  readonly placing: Pick<Placing, 'whyUnplaced'>
}

/** The runners as people are told of them. */
export class Roster {
  readonly #parts: RosterParts

  constructor(parts: RosterParts) {
    this.#parts = parts
  }

  /** The live ones of all accounts that have a place, oldest first. */
  placed(): readonly Placed[] {
    return this.#parts.fleet
      .all()
      .flatMap(({ id, appId, accountId, placement }) => (placement ? [{ id, appId, accountId, placement }] : []))
  }

  /** An account's live runners, oldest first, and those that ended since then. */
  async of(accountId: AccountId, endedSince?: Moment): Promise<readonly RunnerView[]> {
    const { store, fleet } = this.#parts
    const ended = endedSince === undefined ? [] : await store.read(endedRunnersSince(accountId, endedSince))
    const live = fleet.ofAccount(accountId)
    const nameOf = await this.#names([...live, ...ended])
    return [...this.#liveViews(live, nameOf), ...ended.map((runner) => viewOfEnded(runner, nameOf(runner.appId)))]
  }

  /** What the apps of these runners are called, without a revision. Those that were deleted cost a read. */
  async #names(runners: readonly Runner[]): Promise<(id: AppId) => string> {
    const { apps, store } = this.#parts
    const deleted = new Set(runners.map(({ appId }) => appId).filter((id) => apps.byId(id) === undefined))
    const former = deleted.size === 0 ? undefined : await store.read(appNames([...deleted]))
    return (id) => splitRevision(apps.byId(id)?.app.name ?? former?.get(id) ?? '').name
  }

  #liveViews(live: readonly LiveRunner[], nameOf: (id: AppId) => string): readonly RunnerView[] {
    const { apps, homes, clock, placing } = this.#parts
    const appIds = new Set(live.map(({ appId }) => appId))
    const loads = new Map(Array.from(appIds, (id) => [id, homes.find(id)?.load()] as const))
    return live.map((runner) => {
      const load = loads.get(runner.appId) ?? noLoad
      const extras = {
        app: apps.byId(runner.appId)?.app,
        appName: nameOf(runner.appId),
        requests: load.runners.get(runner.id)?.requests ?? [],
        replacement: this.#replacementOf(runner),
        isPulling: this.#parts.memory.pulls.has(runner.id),
        waitsFor: placing.whyUnplaced(runner.id),
      }
      return viewOfLive(withLoad(runner, load), extras, clock.now())
    })
  }

  #replacementOf({ id, state }: LiveRunner): Replacement {
    if (!this.#parts.memory.replacing.has(id)) return 'none'
    return state === 'draining' ? 'did' : 'will'
  }
}
