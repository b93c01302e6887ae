import { isSpent, type Budget } from '../domain/budget.ts'
import type { AccountId } from '../domain/ids.ts'
import type { Moment } from '../kit/clock.ts'

/** What the accounts with a monthly limit have spent, as it was last counted. */
export class Budgets {
  #byAccount: ReadonlyMap<AccountId, Budget> = new Map()

  of(accountId: AccountId): Budget | undefined {
    return this.#byAccount.get(accountId)
  }

  /** That of an account for which nothing more is started. */
  spentOf(accountId: AccountId, now: Moment): Budget | undefined {
    const budget = this.#byAccount.get(accountId)
    return budget !== undefined && isSpent(budget, now) ? budget : undefined
  }

  set(byAccount: ReadonlyMap<AccountId, Budget>): void {
    this.#byAccount = byAccount
  }
}
