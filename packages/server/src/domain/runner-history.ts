import type { Moment } from '../kit/clock.ts'
import type { Bucket } from './timeline.ts'

/** When a runner went from one state to the next; what has not happened is absent. */
export interface Lifetime {
  readonly createdAt: Moment
  readonly readyAt?: Moment
  readonly drainingAt?: Moment
  readonly endedAt?: Moment
}

/** How many runners there were. */
export interface RunnerCounts {
  readonly pending: number
  readonly running: number
  readonly draining: number
}

/** Counts runners by bucket: the most that there were at one moment, or how many on average. `now` ends what goes on. */
export function runnerHistory(
  lifetimes: readonly Lifetime[],
  buckets: readonly Bucket[],
  { aggregation, now }: { readonly aggregation: 'max' | 'avg'; readonly now: Moment },
): readonly (RunnerCounts & Bucket)[] {
  const pending = lifetimes.map(({ createdAt, readyAt, endedAt }) => span(createdAt, readyAt ?? endedAt ?? now))
  const running = lifetimes.map(({ readyAt, drainingAt, endedAt }) => span(readyAt, drainingAt ?? endedAt ?? now))
  const draining = lifetimes.map(({ drainingAt, endedAt }) => span(drainingAt, endedAt ?? now))
  const count = aggregation === 'max' ? most : average
  return buckets.map((bucket) => ({
    ...bucket,
    pending: count(pending, bucket),
    running: count(running, bucket),
    draining: count(draining, bucket),
  }))
}

function span(from: Moment | undefined, to: Moment): Bucket {
  return from === undefined ? { from: 0, to: 0 } : { from, to }
}

/** One that ends in the millisecond in which another begins is not counted together with it. */
function most(spans: readonly Bucket[], bucket: Bucket): number {
  const steps = within(spans, bucket).flatMap(({ from, to }) => [
    { at: from, by: 1 },
    { at: to, by: -1 },
  ])
  let count = 0
  let highest = 0
  for (const { by } of steps.toSorted((one, other) => one.at - other.at || one.by - other.by)) {
    count += by
    highest = Math.max(highest, count)
  }
  return highest
}

function average(spans: readonly Bucket[], bucket: Bucket): number {
  const total = within(spans, bucket).reduce((sum, { from, to }) => sum + to - from, 0)
  return Math.round((100 * total) / (bucket.to - bucket.from)) / 100
}

function within(spans: readonly Bucket[], bucket: Bucket): readonly Bucket[] {
  return spans
    .map(({ from, to }) => ({ from: Math.max(from, bucket.from), to: Math.min(to, bucket.to) }))
    .filter(({ from, to }) => from < to)
}
