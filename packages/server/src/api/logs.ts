import { z } from 'zod'
import type { Moment } from '../kit/clock.ts'
import type { LogLine } from '../logs/log-store.ts'
import { operation } from './operation.ts'

export interface LogHistory {
  /** Newest first. */
  readonly lines: readonly LogLine[]
  /** The end of the next page, exclusive; absent when nothing older is left. */
  readonly nextUntil?: Moment
}

const moment = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text))

const LogWindow = z.object({
  runnerId: z.string().optional(),
  search: z.string().optional(),
  since: moment.optional(),
  until: moment.optional(),
  limit: z.coerce.number().int().min(1).max(10_000).default(1_000),
})

/** A page of log lines. Lines of one millisecond stay together, so that no page begins in the middle of them. */
export const logHistory = operation(
  { permission: 'logs:read', input: LogWindow },
  async (deps, caller, { limit, ...window }): Promise<LogHistory> => {
    const found = await deps.logs.query({ ...window, accountId: caller.accountId, limit: limit + 1 })
    const leftOut = found[limit]
    if (leftOut === undefined) return { lines: found }
    const whole = found.filter(({ at }) => at > leftOut.at)
    return whole.length > 0
      ? { lines: whole, nextUntil: leftOut.at + 1 }
      : { lines: found.slice(0, limit), nextUntil: leftOut.at } // more of them than a page holds
  },
)
