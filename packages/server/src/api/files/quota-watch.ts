import type { AccountId, RunnerId } from '../../domain/ids.ts'
import type { DataQuotas } from '../../files/data-quotas.ts'
import type { Apps } from '../../home/apps.ts'
import type { Clock } from '../../kit/clock.ts'
import type { Logger } from '../../kit/logger.ts'
import { startLoop, type Loop } from '../../kit/loop.ts'
import type { LogStore } from '../../logs/log-store.ts'
import { dataQuotas } from '../../store/accounts.ts'
import type { Store } from '../../store/store.ts'
import type { Runners } from '../deps.ts'

interface WatchParts {
  readonly quotas: DataQuotas
  readonly store: Store
  readonly apps: Pick<Apps, 'all'>
  readonly runners: Pick<Runners, 'placed' | 'stopRunner'>
  readonly logs: Pick<LogStore, 'append'>
  readonly clock: Clock
  readonly log: Logger
  /** Why runners can have no folders of their own, and `/data` not be read-only to them. */
  readonly withoutMounts: string | undefined
}

const everyMs = 1_000

/**
 * Measures the accounts that have a limit and that may have grown, and does what follows where one is over it: its apps are
 * told in their logs, and runners that may still write are asked to end when it is far over. New ones cannot write (`scheduler/places.ts`).
 */
export function startQuotaWatch(parts: WatchParts): Loop {
  const watch = new QuotaWatch(parts)
  const loop = startLoop((signal) => watch.pass(signal), { name: 'quota watch', everyMs, log: parts.log })
  const forget = parts.store.onChange('account', () => (watch.lookAgain(), loop.wake()))
  return { wake: () => loop.wake(), stop: () => (forget(), loop.stop()) }
}

export class QuotaWatch {
  readonly #parts: WatchParts
  #accounts: readonly AccountId[] | undefined
  readonly #over = new Set<AccountId>()
  /** Runners that were there when their account was first seen over its limit: they may write. */
  readonly #writers = new Map<RunnerId, AccountId>()

  constructor(parts: WatchParts) {
    this.#parts = parts
  }

  lookAgain(): void {
    this.#accounts = undefined
  }

  async pass(signal: AbortSignal): Promise<void> {
    const { quotas, runners } = this.#parts
    const accounts = (this.#accounts ??= await this.#read())
    const active = new Set(runners.placed().map(({ accountId }) => accountId))
    for (const account of accounts) {
      if (signal.aborted) return
      if (!quotas.isDue(account, active.has(account))) continue
      await quotas.measure(account)
      await this.#judge(account)
    }
  }

  async #read(): Promise<readonly AccountId[]> {
    const all = await this.#parts.store.read(dataQuotas())
    this.#parts.quotas.setOwn(new Map(all.flatMap(({ id, own }) => (own === undefined ? [] : [[id, own] as const]))))
    return all.map(({ id }) => id)
  }

  async #judge(account: AccountId): Promise<void> {
    const { quotas, runners } = this.#parts
    const placed = runners.placed().filter(({ accountId }) => accountId === account)
    if (quotas.isOver(account) && !this.#over.has(account)) {
      this.#over.add(account)
      for (const { id } of placed) this.#writers.set(id, account)
      this.#tell(
        account,
        'may keep no more in /data: uploads are refused, and runners that start from now on cannot write there',
      )
    }
    if (!quotas.isOver(account) && this.#over.delete(account)) {
      for (const [id, owner] of this.#writers) if (owner === account) this.#writers.delete(id)
      this.#tell(
        account,
        'is within what it may keep in /data again; runners that could not write there can when they start anew',
      )
    }
    if (quotas.isFarOver(account)) await this.#endWriters(account)
  }

  async #endWriters(account: AccountId): Promise<void> {
    const { runners, withoutMounts } = this.#parts
    if (withoutMounts !== undefined) return // their successors could write as well
    const writers = [...this.#writers].filter(([, owner]) => owner === account).map(([id]) => id)
    if (writers.length > 0)
      this.#tell(account, 'goes on growing: its runners that can write there finish their requests and end')
    for (const id of writers) {
      this.#writers.delete(id)
      await runners.stopRunner(id, { replaceFirst: false }).catch(() => {}) // it is gone
    }
  }

  #tell(account: AccountId, what: string): void {
    const { quotas, logs, clock, log, apps } = this.#parts
    const { used, limit } = quotas.usageOf(account)
    const message = `This account ${what} (${used ?? 0} bytes of ${limit ?? 'any'})`
    log.warn({ account, used, limit }, `an account ${what}`)
    for (const { app } of apps.all()) {
      if (app.accountId !== account) continue
      logs.append({ at: clock.now(), source: 'bridge', level: 'warning', message, accountId: account, appId: app.id })
    }
  }
}
