import { z } from 'zod'
import { runnerHistory as countRunners } from '../../domain/runner-history.ts'
import { buckets, timeframeFor, timeframes } from '../../domain/timeline.ts'
import type { RunnerLife } from '../../domain/app-events.ts'
import { runnerSpans } from '../../store/reports.ts'
import { operation } from '../operation.ts'
import { ownApp, Which } from '../apps/queues.ts'
import { InWindow, windowOf } from './input.ts'

/** How many runners of one app an answer counts. */
const mostRunners = 20_000

/** How many runners an app had, bucket by bucket. */
export const runnerHistory = operation(
  {
    permission: 'runners:read',
    input: Which.extend({
      start: z.number().optional(),
      end: z.number().optional(),
      timeframe: z.enum(timeframes).optional(),
      aggregation: z.enum(['max', 'avg']),
    }),
  },
  async (deps, caller, { start, end, timeframe: asked, aggregation, ...which }) => {
    const app = ownApp(deps, caller, which)
    const now = deps.clock.now()
    const window = windowOf({ start, end }, now)
    const timeframe = asked ?? timeframeFor(window)
    const pieces = buckets(window, timeframe, true)
    const spans = await deps.store.read(runnerSpans(app.id, window, mostRunners + 1))
    const history = countRunners(spans.slice(0, mostRunners).map(lifetime), pieces, { aggregation, now })
    return { timeframe, aggregation, history, complete: spans.length <= mostRunners }
  },
)

function lifetime({ createdAt, readyAt, drainingAt, endedAt }: RunnerLife) {
  return {
    createdAt,
    ...(readyAt !== undefined && { readyAt }),
    ...(drainingAt !== undefined && { drainingAt }),
    ...(endedAt !== undefined && { endedAt }),
  }
}

export const RunnerHistoryQuery = z.object({
  ...InWindow,
  timeframe: z.enum(timeframes).optional(),
  aggregation: z.enum(['max', 'avg']).default('max'),
})
