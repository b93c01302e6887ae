import type { Moment } from '../kit/clock.ts'
import { CarrickError } from './errors.ts'

export const timeframes = ['minute', 'hour', 'day', 'week', 'month'] as const
export type Timeframe = (typeof timeframes)[number]

/** A part of a window: `from` belongs to it, `to` does not. */
export interface Bucket {
  readonly from: Moment
  readonly to: Moment
}

const hourMs = 3_600_000
const dayMs = 24 * hourMs

/** How much one answer may hold. */
const mostBuckets = 2_000

/** The usual length of a bucket: short ones for a short window (platform-behaviour §11.2). */
export function timeframeFor({ from, to }: Bucket): Timeframe {
  const length = to - from
  if (length < 2 * hourMs) return 'minute'
  if (length < 2 * dayMs) return 'hour'
  if (length < 64 * dayMs) return 'day'
  return length < 183 * dayMs ? 'week' : 'month'
}

/**
 * The buckets of a window in UTC, weeks from Monday. The first begins and the last ends with the window unless they are
 * `whole`: then they reach to their own bounds. Throws `bad_request` when there would be more than 2,000.
 */
export function buckets({ from, to }: Bucket, timeframe: Timeframe, whole: boolean): readonly Bucket[] {
  const found: Bucket[] = []
  for (let start = startOf(from, timeframe); start < to; start = nextAfter(start, timeframe)) {
    if (found.length === mostBuckets) {
      const message = `The window holds more than ${mostBuckets} buckets of a ${timeframe}: ask for a shorter one, or for longer buckets`
      throw new CarrickError('bad_request', message)
    }
    const end = nextAfter(start, timeframe)
    found.push(whole ? { from: start, to: end } : { from: Math.max(start, from), to: Math.min(end, to) })
  }
  return found
}

function startOf(moment: Moment, timeframe: Timeframe): Moment {
  const date = new Date(moment)
  switch (timeframe) {
    case 'minute':
      return date.setUTCSeconds(0, 0)
    case 'hour':
      return date.setUTCMinutes(0, 0, 0)
    case 'day':
      return date.setUTCHours(0, 0, 0, 0)
    case 'week':
      return startOf(moment, 'day') - ((date.getUTCDay() + 6) % 7) * dayMs
    default:
      return Date.UTC(date.getUTCFullYear(), date.getUTCMonth())
  }
}

function nextAfter(start: Moment, timeframe: Timeframe): Moment {
  if (timeframe === 'month') {
    const date = new Date(start)
    return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1)
  }
  return start + { minute: 60_000, hour: hourMs, day: dayMs, week: 7 * dayMs }[timeframe]
}
