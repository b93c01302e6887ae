import type { Moment } from '../kit/clock.ts'

/** What an account may spend in a month, by the operator's prices, and has spent. */
export interface Budget {
  readonly limit: number
  readonly spent: number
  readonly currency: string
  /** The month ends then, of UTC. */
  readonly until: Moment
}

/** The month, of UTC, that a moment is in. */
export function monthOf(now: Moment): { readonly from: Moment; readonly to: Moment } {
  const date = new Date(now)
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()]
  return { from: Date.UTC(year, month), to: Date.UTC(year, month + 1) }
}

/** Whether nothing more is started for it: the month's limit is reached, and the month is not over. */
export function isSpent({ limit, spent, until }: Budget, now: Moment): boolean {
  return spent >= limit && now < until
}
