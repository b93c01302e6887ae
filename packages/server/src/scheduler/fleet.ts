import type { AppId, RunnerId } from '../domain/ids.ts'
import type { LiveRunner, Runner } from '../domain/runner.ts'
import type { Moment } from '../kit/clock.ts'
import { revokeKey } from '../store/keys.ts'
import { addRunner, liveRunners, saveRunner } from '../store/runners.ts'
import { together } from '../store/sql.ts'
import type { Store, Write } from '../store/store.ts'
import type { RunnerStart } from './launch.ts'

/** One runner's step, from what it was to what it is now; a new one was nothing before. */
export type Change = { readonly start?: RunnerStart } & (
  | { readonly from?: undefined; readonly to: LiveRunner }
  | { readonly from: LiveRunner; readonly to: Runner }
)

/** The changes that are on disk; `failure` is there when others could not be stored. */
export interface Committed {
  readonly stored: readonly Change[]
  readonly failure?: unknown
}

/** The live runners, in memory as in the store: a change is seen here once it is on disk. */
export class Fleet {
  readonly #store: Store
  readonly #byId = new Map<RunnerId, LiveRunner>()

  constructor(store: Store) {
    this.#store = store
  }

  get size(): number {
    return this.#byId.size
  }

  get(id: RunnerId): LiveRunner | undefined {
    return this.#byId.get(id)
  }

  all(): readonly LiveRunner[] {
    return [...this.#byId.values()]
  }

  ofApp(appId: AppId): readonly LiveRunner[] {
    return this.all().filter((runner) => runner.appId === appId)
  }

  /** Reads what the store holds. */
  async load(): Promise<void> {
    const stored = await this.#store.read(liveRunners())
    this.#byId.clear()
    for (const runner of stored) this.#byId.set(runner.id, runner)
  }

  /** Stores all changes in one go. Each is stored or not for itself. */
  async commit(changes: readonly Change[], now: Moment): Promise<Committed> {
    const ends = await Promise.allSettled(changes.map((change) => this.#commitOne(change, now)))
    const failed = ends.find((end) => end.status === 'rejected')
    const stored = changes.filter((_, index) => ends[index]?.status === 'fulfilled')
    return failed === undefined ? { stored } : { stored, failure: failed.reason }
  }

  async #commitOne(change: Change, now: Moment): Promise<void> {
    const { from, to } = change
    if (!(await this.#store.commit(writeOf(change, now)))) {
      throw new Error(`runner ${to.id} is no longer ${from?.state ?? 'new'} in the store`)
    }
    if (to.state === 'terminated') this.#byId.delete(to.id)
    else this.#byId.set(to.id, to)
  }
}

/** A runner's key comes and goes with it. */
function writeOf(change: Change, now: Moment): Write<boolean> {
  const { to, start } = change
  const step = change.from === undefined ? addRunner(change.to) : saveRunner(change.from.state, to)
  const revoked = to.state === 'terminated' && to.keyId !== undefined ? [revokeKey(to.keyId, now)] : []
  return together(step, ...revoked, ...(start ? [start.key.write] : []))
}
