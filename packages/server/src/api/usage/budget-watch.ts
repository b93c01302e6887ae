import { isSpent, monthOf, type Budget } from '../../domain/budget.ts'
import type { AccountId } from '../../domain/ids.ts'
import type { Apps } from '../../home/apps.ts'
import type { Budgets } from '../../home/budgets.ts'
import type { Clock } from '../../kit/clock.ts'
import type { Logger } from '../../kit/logger.ts'
import { startLoop, type Loop } from '../../kit/loop.ts'
import type { LogStore } from '../../logs/log-store.ts'
import { monthlyLimits, type MonthlyLimit } from '../../store/accounts.ts'
import type { Store } from '../../store/store.ts'
import type { UsageKeeper } from './keeper.ts'
import { spentIn } from './report.ts'

interface WatchParts {
  readonly budgets: Budgets
  readonly store: Store
  readonly apps: Pick<Apps, 'all'>
  readonly logs: Pick<LogStore, 'append'>
  readonly usageKeeper: Pick<UsageKeeper, 'whileSettled'>
  readonly clock: Clock
  readonly log: Logger
  /** What prices are in. */
  readonly currency: string
}

const everyMs = 15_000

/**
 * Counts now and then what the accounts that have a monthly limit have spent this month. Apps of one that reaches its limit
 * are told so in their logs. Where no account has a limit it does nothing.
 */
export function startBudgetWatch(parts: WatchParts): Loop {
  const watch = new BudgetWatch(parts)
  const loop = startLoop((signal) => watch.pass(signal), { name: 'budget watch', everyMs, log: parts.log })
  const forget = parts.store.onChange('account', () => (watch.lookAgain(), loop.wake()))
  return { wake: () => loop.wake(), stop: () => (forget(), loop.stop()) }
}

export class BudgetWatch {
  readonly #parts: WatchParts
  #limits: readonly MonthlyLimit[] | undefined

  constructor(parts: WatchParts) {
    this.#parts = parts
  }

  lookAgain(): void {
    this.#limits = undefined
  }

  async pass(signal: AbortSignal): Promise<void> {
    const { store, clock, budgets, currency } = this.#parts
    const limits = (this.#limits ??= await store.read(monthlyLimits()))
    const counted = new Map<AccountId, Budget>()
    for (const { id, nickname, limit } of limits) {
      if (signal.aborted) return
      const month = monthOf(clock.now())
      const spent = await spentIn(this.#parts, { accountId: id, nickname }, month)
      const budget = { limit, spent, currency, until: month.to }
      if (isSpent(budget, clock.now()) && budgets.spentOf(id, clock.now()) === undefined) this.#tell(id, budget)
      counted.set(id, budget)
    }
    if (counted.size > 0 || limits.length === 0) budgets.set(counted)
  }

  #tell(accountId: AccountId, { spent, limit, currency }: Budget): void {
    const { apps, logs, clock, log } = this.#parts
    const message = `This account has spent ${spent.toFixed(2)} ${currency} this month and may spend ${limit}: no runner is started for it, those that are there go on`
    log.warn({ account: accountId, spent, limit }, 'an account has reached its monthly limit')
    for (const { app } of apps.all()) {
      if (app.accountId !== accountId) continue
      logs.append({ at: clock.now(), source: 'bridge', level: 'warning', message, accountId, appId: app.id })
    }
  }
}
