import { z } from 'zod'
import type { Moment } from '../kit/clock.ts'
import type { Caller } from '../domain/permissions.ts'
import type { LogLine } from '../logs/log-store.ts'
import { runnerById } from '../store/runners.ts'
import type { Deps } from './deps.ts'
import { operation } from './operation.ts'
import { unknownRunner } from './runners.ts'

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

const Followed = LogWindow.omit({ limit: true }).extend({
  runnerId: z.string().min(1, 'name the runner whose lines you want to follow, as job_id'),
})
type Followed = z.output<typeof Followed>

/** What was said lately is part of what one follows. */
const usualHistoryMs = 60_000
/** How long silence lasts before it is looked whether more can come. */
const lookAfterMs = 1_000

/**
 * A runner's lines, oldest first: those since then, at most the newest 10,000, and from there on each as it comes.
 * Ends when the runner has ended and has nothing more to say, at `until`, and when the server stops; silence is a batch
 * without lines.
 */
export const followLogs = operation(
  { permission: 'logs:read', input: Followed },
  async (deps, caller, followed, { signal }): Promise<AsyncGenerator<readonly LogLine[]>> => {
    const runner = await deps.store.read(runnerById(followed.runnerId))
    if (runner?.accountId !== caller.accountId) throw unknownRunner(followed.runnerId)
    return follow(deps, caller, followed, signal)
  },
)

async function* follow(
  deps: Deps,
  { accountId }: Caller,
  { since = deps.clock.now() - usualHistoryMs, until = Infinity, ...filter }: Followed,
  signal: AbortSignal,
): AsyncGenerator<readonly LogLine[]> {
  using tail = deps.logs.follow({ ...filter, accountId })
  const past = { ...filter, accountId, since, limit: 10_000, ...(until === Infinity ? {} : { until }) }
  yield (await deps.logs.query(past)).toReversed()
  while (!signal.aborted && !deps.isDraining()) {
    const lines = await tail.next(AbortSignal.any([signal, AbortSignal.timeout(lookAfterMs)]))
    yield lines.filter(({ at }) => at >= since && at < until)
    if (deps.clock.now() >= until) return
    if (lines.length === 0 && (await hasFallenSilent(deps, filter.runnerId))) return
  }
}

/** A runner's last lines may come a moment after its end. */
async function hasFallenSilent({ store, clock }: Deps, runnerId: string): Promise<boolean> {
  const runner = await store.read(runnerById(runnerId))
  return runner?.state !== 'terminated' ? runner === undefined : runner.endedAt + lookAfterMs <= clock.now()
}
