import type { Moment } from '../kit/clock.ts'
import type { Bucket } from './timeline.ts'

/** An ended request, as far as statistics count it. */
export interface Counted {
  readonly acceptedAt: Moment
  readonly startedAt?: Moment
  readonly finishedAt: Moment
  readonly status: number
  readonly errorCode?: string
}

/** Numbers about many requests, by the names of the platform API. Durations are seconds; null where nothing was measured. */
export type Metrics = Readonly<Record<MetricName, number | null>>

const codes = {
  startup_error_count: ['startup_timeout', 'runner_scheduling_failure'],
  connection_error_count: [
    'runner_connection_timeout',
    'runner_connection_refused',
    'runner_connection_error',
    'runner_disconnected',
    'runner_incomplete_response',
  ],
  timeout_error_count: ['request_timeout'],
} as const

/** A start that took longer than this waited for a runner to come up. */
const coldSeconds = 1

/** Requests, and what was measured of them: in order, and worked out once for all numbers about it. */
interface Sample {
  readonly requests: readonly Counted[]
  readonly sorted: (secondsOf: Measure) => Float64Array
}

type Measure = (request: Counted) => number | undefined
type Count = (sample: Sample) => number | null

const percentile =
  (part: number, secondsOf: Measure): Count =>
  ({ sorted }) => {
    const seconds = sorted(secondsOf)
    return seconds.at(Math.max(0, Math.ceil(part * seconds.length) - 1)) ?? null
  }

const counting =
  (holds: (request: Counted) => boolean): Count =>
  ({ requests }) =>
    requests.reduce((count, request) => count + (holds(request) ? 1 : 0), 0)

const failedBy =
  (known: readonly string[]) =>
  ({ errorCode }: Counted) =>
    errorCode !== undefined && known.includes(errorCode)

const prepare = ({ acceptedAt, startedAt }: Counted) =>
  startedAt === undefined ? undefined : (startedAt - acceptedAt) / 1_000
const duration = ({ startedAt, finishedAt }: Counted) =>
  startedAt === undefined ? undefined : (finishedAt - startedAt) / 1_000
const coldBoot = (request: Counted) => {
  const seconds = prepare(request)
  return seconds !== undefined && seconds > coldSeconds ? seconds : undefined
}

const metrics = {
  request_count: counting(() => true),
  success_count: counting(({ status }) => status < 400),
  user_error_count: counting(({ status }) => status >= 400 && status < 500),
  error_count: counting(({ status }) => status >= 500),
  startup_error_count: counting(failedBy(codes.startup_error_count)),
  connection_error_count: counting(failedBy(codes.connection_error_count)),
  timeout_error_count: counting(failedBy(codes.timeout_error_count)),
  runtime_error_count: counting(({ status, errorCode }) => status >= 500 && errorCode === undefined),
  p50_prepare_duration: percentile(0.5, prepare),
  p75_prepare_duration: percentile(0.75, prepare),
  p90_prepare_duration: percentile(0.9, prepare),
  p95_prepare_duration: percentile(0.95, prepare),
  p99_prepare_duration: percentile(0.99, prepare),
  p25_duration: percentile(0.25, duration),
  p50_duration: percentile(0.5, duration),
  p75_duration: percentile(0.75, duration),
  p90_duration: percentile(0.9, duration),
  p95_duration: percentile(0.95, duration),
  p99_duration: percentile(0.99, duration),
  cold_boot_count: counting((request) => coldBoot(request) !== undefined),
  p50_cold_boot_duration: percentile(0.5, coldBoot),
  p75_cold_boot_duration: percentile(0.75, coldBoot),
  p90_cold_boot_duration: percentile(0.9, coldBoot),
  total_billable_duration: ({ sorted }) => sorted(duration).reduce((sum, seconds) => sum + seconds, 0),
} as const satisfies Readonly<Record<string, Count>>

export type MetricName = keyof typeof metrics

/** Every number that can be asked for. */
export const metricNames = Object.keys(metrics) as readonly MetricName[]

/** The numbers that were asked for, about these requests. */
export function measure(requests: readonly Counted[], names: readonly MetricName[]): Partial<Metrics> {
  const sample = sampleOf(requests)
  return Object.fromEntries(names.map((name) => [name, metrics[name](sample)]))
}

/** The requests that ended in each bucket. Buckets come one after the other. */
export function byBucket<Request extends Counted>(
  requests: readonly Request[],
  buckets: readonly Bucket[],
): ReadonlyMap<Bucket, readonly Request[]> {
  const found = new Map<Bucket, Request[]>(buckets.map((bucket) => [bucket, []]))
  const sorted = requests.toSorted((one, other) => one.finishedAt - other.finishedAt)
  let at = 0
  for (const request of sorted) {
    while (at < buckets.length && request.finishedAt >= buckets[at]!.to) at += 1
    const bucket = buckets[at]
    if (bucket !== undefined && request.finishedAt >= bucket.from) found.get(bucket)?.push(request)
  }
  return found
}

function sampleOf(requests: readonly Counted[]): Sample {
  const known = new Map<Measure, Float64Array>()
  return {
    requests,
    sorted(secondsOf) {
      const seconds = known.get(secondsOf) ?? Float64Array.from(measured(requests, secondsOf)).toSorted()
      known.set(secondsOf, seconds)
      return seconds
    },
  }
}

function measured(requests: readonly Counted[], secondsOf: Measure): number[] {
  return requests.map(secondsOf).filter((seconds) => seconds !== undefined)
}
