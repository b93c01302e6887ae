import type { Keyring } from '../access/keyring.ts'
import type { AccountId, AppId, RunnerId } from '../domain/ids.ts'
import type { LiveRunner, Runner } from '../domain/runner.ts'
import type { Moment } from '../kit/clock.ts'
import { revokeRunnerKey } from '../store/keys.ts'
import { addRunner, liveRunners, saveRunner } from '../store/runners.ts'
import { together } from '../store/sql.ts'
import type { Store, Write } from '../store/store.ts'
import { AppRunners } from './app-runners.ts'
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
  readonly #keyring: Pick<Keyring, 'learn' | 'forget'>
  readonly #byId = new Map<RunnerId, LiveRunner>()
  readonly #byApp = new Map<AppId, AppRunners>()
  readonly #byAccount = new Map<AccountId, Map<RunnerId, LiveRunner>>()

  constructor(store: Store, keyring: Pick<Keyring, 'learn' | 'forget'>) {
    this.#store = store
    this.#keyring = keyring
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

  /** The apps that have runners. */
  apps(): Iterable<AppId> {
    return this.#byApp.keys()
  }

  ofApp(appId: AppId): readonly LiveRunner[] {
    return this.#byApp.get(appId)?.all ?? []
  }

  /** Oldest first. */
  ofAccount(accountId: AccountId): readonly LiveRunner[] {
    return [...(this.#byAccount.get(accountId)?.values() ?? [])]
  }

  /** How many there are of an app, without looking at each. */
  countsOf(appId: AppId): Pick<AppRunners, 'size' | 'draining' | 'ableOf'> {
    return this.#byApp.get(appId) ?? none
  }

  /** Reads what the store holds. */
  async load(): Promise<void> {
    const stored = await this.#store.read(liveRunners())
    this.#byId.clear()
    this.#byApp.clear()
    this.#byAccount.clear()
    for (const runner of stored) this.#put(runner)
  }

  /** Stores all changes in one go. Each is stored or not for itself. */
  async commit(changes: readonly Change[], now: Moment): Promise<Committed> {
    const ends = await Promise.allSettled(changes.map((change) => this.#commitOne(change, now)))
    const failed = ends.find((end) => end.status === 'rejected')
    const stored = changes.filter((_, index) => ends[index]?.status === 'fulfilled')
    return failed === undefined ? { stored } : { stored, failure: failed.reason }
  }

  async #commitOne(change: Change, now: Moment): Promise<void> {
    const { from, to, start } = change
    if (!(await this.#store.commit(writeOf(change, now)))) {
      throw new Error(`runner ${to.id} is no longer ${from?.state ?? 'new'} in the store`)
    }
    if (start) this.#keyring.learn(start.key.credentials.keyId)
    if (to.state !== 'terminated') return this.#put(to)
    if (to.keyId !== undefined) this.#keyring.forget(to.keyId)
    this.#drop(to)
  }

  #put(runner: LiveRunner): void {
    this.#byId.set(runner.id, runner)
    const ofApp = this.#byApp.get(runner.appId) ?? new AppRunners()
    this.#byApp.set(runner.appId, ofApp)
    ofApp.put(runner)
    const ofAccount = this.#byAccount.get(runner.accountId) ?? new Map<RunnerId, LiveRunner>()
    this.#byAccount.set(runner.accountId, ofAccount.set(runner.id, runner))
  }

  #drop({ id, appId, accountId }: Runner): void {
    this.#byId.delete(id)
    const ofApp = this.#byApp.get(appId)
    ofApp?.drop(id)
    if (ofApp?.size === 0) this.#byApp.delete(appId)
    const ofAccount = this.#byAccount.get(accountId)
    ofAccount?.delete(id)
    if (ofAccount?.size === 0) this.#byAccount.delete(accountId)
  }
}

const none = new AppRunners()

/** A runner's key comes and goes with it. */
function writeOf(change: Change, now: Moment): Write<boolean> {
  const { to, start } = change
  const step = change.from === undefined ? addRunner(change.to) : saveRunner(change.from.state, to)
  const revoked = to.state === 'terminated' && to.keyId !== undefined ? [revokeRunnerKey(to.keyId, now)] : []
  return together(step, ...revoked, ...(start ? [start.key.write] : []))
}
