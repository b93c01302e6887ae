import type { Clock, Moment } from '../kit/clock.ts'

/** Calls of one app within the last minute. */
export interface TrafficCounts {
  readonly received: readonly { readonly method: string; readonly count: number }[]
  readonly completed: readonly { readonly method: string; readonly status: number; readonly count: number }[]
  /** How many took no longer than so many seconds, from coming to ending. The last bound is infinite. */
  readonly latency: readonly { readonly seconds: number; readonly count: number }[]
}

/** Upper bounds of what is told of latency, in seconds. */
const latencyBounds: readonly number[] = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, Infinity]

const sliceMs = 5_000
const slices = 12

interface Slice {
  readonly startedAt: Moment
  readonly received: Map<string, number>
  readonly completed: Map<string, number>
  readonly latency: number[]
}

/** How many calls have ended since the server started, over all apps: what came to an app that is gone still counts. */
export class Totals {
  success = 0
  user_error = 0
  error = 0

  count(status: number): void {
    this[status < 400 ? 'success' : status < 500 ? 'user_error' : 'error'] += 1
  }
}

/** What came to one app and what became of it, in slices of five seconds: in memory, and for a minute. */
export class Traffic {
  readonly #clock: Clock
  readonly #totals: Totals
  #slices: Slice[] = []

  constructor(clock: Clock, totals: Totals) {
    this.#clock = clock
    this.#totals = totals
  }

  received(method: string): void {
    add(this.#slice().received, method)
  }

  /** Notes how a call ended that came at that moment. */
  completed(method: string, status: number, cameAt: Moment): void {
    this.#totals.count(status)
    const slice = this.#slice()
    add(slice.completed, `${status} ${method}`)
    const seconds = (this.#clock.now() - cameAt) / 1_000
    const at = latencyBounds.findIndex((bound) => seconds <= bound)
    slice.latency[at] = (slice.latency[at] ?? 0) + 1
  }

  /** Everything of the last minute, give or take five seconds. */
  counts(): TrafficCounts {
    const oldest = this.#clock.now() - slices * sliceMs
    const recent = this.#slices.filter(({ startedAt }) => startedAt > oldest)
    const completed = [...summed(recent.map((slice) => slice.completed))]
    return {
      received: [...summed(recent.map((slice) => slice.received))].map(([method, count]) => ({ method, count })),
      completed: completed.map(([key, count]) => {
        const [status = '', method = ''] = key.split(' ')
        return { status: Number(status), method, count }
      }),
      latency: latencyBounds.map((seconds, last) => ({
        seconds,
        count: recent.reduce((sum, { latency }) => sum + latency.slice(0, last + 1).reduce(plus, 0), 0),
      })),
    }
  }

  #slice(): Slice {
    const now = this.#clock.now()
    const newest = this.#slices.at(-1)
    if (newest !== undefined && now < newest.startedAt + sliceMs) return newest
    const slice = { startedAt: now, received: new Map(), completed: new Map(), latency: latencyBounds.map(() => 0) }
    this.#slices = [...this.#slices.slice(1 - slices), slice]
    return slice
  }
}

const plus = (one: number, other: number): number => one + other

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

function summed(counts: readonly ReadonlyMap<string, number>[]): ReadonlyMap<string, number> {
  const sums = new Map<string, number>()
  for (const [key, count] of counts.flatMap((each) => [...each])) sums.set(key, (sums.get(key) ?? 0) + count)
  return sums
}
