import { Analytics, PlatformRequests, Usage } from '@carrick/protocol/platform'
import { z } from 'zod'
import { timeframes } from '../../../domain/timeline.ts'
import { nothing } from '../../../domain/usage.ts'
import { costOf, pricedSeconds } from '../../../domain/usage-prices.ts'
import { analytics } from '../../platform/analytics.ts'
import { InWindow } from '../../platform/input.ts'
import { requestsByEndpoint, requestStatuses, secondsOf } from '../../platform/requests.ts'
import { usage, type PricedTime } from '../../platform/usage.ts'
import { described } from './described.ts'
import { cursor, limitTo, paged } from './paging.ts'
import { iso, isoOrNull } from './route.ts'

/** Requests and what they came to, in numbers and one by one. */
export const platformDataRoutes = [
  described('GET', '/v1/serverless/analytics', analytics, {
    summary: 'Numbers about ended requests of the queue, in all or by time',
    query: z.object({
      endpoint_id: z.array(z.string().max(500)).default([]),
      expand: z.array(z.string().max(100)).max(100).default([]),
      ...InWindow,
      timeframe: z.enum(timeframes).optional(),
      timezone: z.literal('UTC', 'Buckets are cut in UTC here: leave timezone out, or send UTC').optional(),
      bound_to_timeframe: z.stringbool().default(true),
    }),
    answer: Analytics,
    read: ({ query: { endpoint_id, bound_to_timeframe, ...query } }) => ({
      ...query,
      endpoints: endpoint_id,
      whole: bound_to_timeframe,
    }),
    show: ({ timeframe, complete, summary, series }) => ({
      timeframe,
      complete,
      ...(summary && { summary: summary.map(shownMetrics) }),
      ...(series && {
        time_series: series.map(({ from, results }) => ({ bucket: iso(from), results: results.map(shownMetrics) })),
      }),
    }),
  }),

  described('GET', '/v1/serverless/requests/by-endpoint', requestsByEndpoint, {
    summary: 'Ended requests of the queue, one by one',
    query: z.object({
      endpoint_id: z.string().max(500),
      ...InWindow,
      status: z.enum(requestStatuses).optional(),
      request_id: z.string().max(200).optional(),
      expand: z.array(z.enum(['payloads', 'billing'])).default([]),
      sort_by: z.enum(['ended_at', 'duration']).default('ended_at'),
      limit: limitTo(100),
      cursor,
    }),
    answer: PlatformRequests,
    read: ({ query: { endpoint_id, request_id, sort_by, expand, ...query } }) => ({
      ...query,
      endpoint: endpoint_id,
      requestId: request_id,
      sortBy: sort_by,
      bodies: expand.length > 0,
    }),
    show: ({ items, next }, { query: { expand } }) => ({
      items: items.map(({ request, endpoint, exchanged }) => ({
        request_id: request.id,
        endpoint_id: endpoint,
        sent_at: iso(request.acceptedAt),
        started_at: isoOrNull(request.startedAt),
        ended_at: iso(request.finishedAt),
        status_code: request.status,
        error_type: request.errorCode ?? null,
        duration: secondsOf(request) ?? null,
        runner_id: request.runnerId ?? null,
        ...(expand.includes('payloads') && {
          json_input: jsonIn(exchanged?.input),
          json_output: jsonIn(exchanged?.output),
        }),
        ...(expand.includes('billing') && { billable_units: exchanged?.units ?? null }),
      })),
      ...paged(next),
    }),
  }),

  described('GET', '/v1/serverless/usage', usage, {
    summary: 'How long the account had runners, by app, environment and machine type',
    query: z.object({
      ...InWindow,
      app: z.array(z.string().max(500)).optional(),
      search: z.string().max(100).optional(),
    }),
    answer: Usage,
    read: ({ query: { app, ...query } }) => ({ ...query, apps: app }),
    show: ({ window, times, currency }) => ({
      start: iso(window.from),
      end: iso(window.to),
      usage: times.map((time) => ({ ...shownTime(time), currency })),
    }),
  }),
]

/** Seconds as they are priced: times the GPUs, where there are any. Without a price of the operator they cost nothing. */
function shownTime({ app, environment, machineType, milliseconds, gpuMilliseconds, price }: PricedTime) {
  const used = { ...nothing, runnerMs: milliseconds, gpuMs: gpuMilliseconds }
  const cost = Math.round(costOf(used, price) * 1e6) / 1e6
  return {
    app,
    environment,
    machine_type: machineType,
    unit: 'second' as const,
    quantity: pricedSeconds(used, price?.gpus ?? 1),
    unit_price: price?.perSecond ?? 0,
    percent_discount: 0,
    cost_subtotal: cost,
    cost_discount: 0,
    cost_total: cost,
    is_surge: false,
  }
}

function shownMetrics({ id, metrics }: { readonly id: string; readonly metrics: object }) {
  return { endpoint_id: id, metrics: { ...metrics } }
}

/** Null for a body that is no JSON, or is kept apart because it is long. */
function jsonIn(body: Uint8Array | undefined): unknown {
  try {
    return body === undefined ? null : JSON.parse(Buffer.from(body).toString())
  } catch {
    return null
  }
}
