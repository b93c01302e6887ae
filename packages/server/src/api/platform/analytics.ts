import { z } from 'zod'
import { byBucket, measure, metricNames, type MetricName } from '../../domain/analytics.ts'
import { CarrickError } from '../../domain/errors.ts'
import { buckets, timeframeFor, timeframes } from '../../domain/timeline.ts'
import type { FinishedRequest } from '../../store/reports.ts'
import { operation } from '../operation.ts'
import { endpointOf, findFinished } from './finished.ts'
import { windowOf } from './input.ts'

/** How many requests one answer counts, over all of its endpoints. */
const mostRequests = 50_000

const forms = ['time_series', 'summary'] as const

/** What `expand` may name. */
const analyticsParts = [...forms, ...metricNames] as const

/** Numbers about the requests of the queue that ended in the window, by endpoint, in all and bucket by bucket. */
export const analytics = operation(
  {
    permission: 'requests:read',
    input: z.object({
      endpoints: z.array(z.string()).min(1, 'name one at least').max(50, 'name 50 at most'),
      expand: z.array(z.string()),
      start: z.number().optional(),
      end: z.number().optional(),
      timeframe: z.enum(timeframes).optional(),
      whole: z.boolean(),
    }),
  },
  async (deps, caller, { endpoints: ids, expand, start, end, timeframe: asked, whole }) => {
    const window = windowOf({ start, end }, deps.clock.now())
    const timeframe = asked ?? timeframeFor(window)
    const pieces = buckets(window, timeframe, whole)
    const whatever = { from: pieces[0]?.from ?? window.from, to: pieces.at(-1)?.to ?? window.to }
    const endpoints = ids.map((id) => endpointOf(deps, caller, id))
    const most = Math.floor(mostRequests / endpoints.length)
    const counted: Counted[] = []
    for (const endpoint of endpoints) {
      const found = await findFinished(deps, endpoint, { window: whatever, limit: most, most })
      counted.push({ id: endpoint.id, requests: found.requests, complete: found.stoppedAt === undefined })
    }
    const { names, shows } = wanted(expand)
    return {
      timeframe,
      complete: counted.every(({ complete }) => complete),
      ...(shows('summary') && {
        summary: counted.map(({ id, requests }) => ({ id, metrics: measure(requests, names) })),
      }),
      ...(shows('time_series') && { series: seriesOf(counted, pieces, names) }),
    }
  },
)

interface Counted {
  readonly id: string
  readonly requests: readonly FinishedRequest[]
  readonly complete: boolean
}

function seriesOf(counted: readonly Counted[], pieces: ReturnType<typeof buckets>, names: readonly MetricName[]) {
  const sorted = counted.map(({ id, requests }) => ({ id, found: byBucket(requests, pieces) }))
  return pieces.map((piece) => ({
    from: piece.from,
    results: sorted.map(({ id, found }) => ({ id, metrics: measure(found.get(piece) ?? [], names) })),
  }))
}

/** Without a form it is the series, without a metric all of them. */
function wanted(expand: readonly string[]) {
  const unknown = expand.find((name) => !analyticsParts.some((part) => part === name))
  if (unknown !== undefined) {
    const message = `expand names "${unknown.slice(0, 100)}", which is none of ${analyticsParts.join(', ')}`
    throw new CarrickError('bad_request', message)
  }
  const named = metricNames.filter((name) => expand.includes(name))
  const asked = forms.filter((form) => expand.includes(form))
  return {
    names: named.length === 0 ? metricNames : named,
    shows: (form: (typeof forms)[number]) => (asked.length === 0 ? form === 'time_series' : asked.includes(form)),
  }
}
