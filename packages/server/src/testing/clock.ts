import type { Clock, Moment } from '../kit/clock.ts'

/** A clock that stands still until a test moves it. */
export function manualClock(start: Moment): Clock & { advance(ms: number): void } {
  let now = start
  return { now: () => now, advance: (ms) => void (now += ms) }
}
