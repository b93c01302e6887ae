import type { Moment } from '../kit/clock.ts'

/** What is remembered of a revision's failed starts; forgotten as soon as one start succeeds. */
export interface Backoff {
  /** Starts that failed one after the other. Those that were under way together count once. */
  readonly failures: number
  readonly lastAt: Moment
}

const stepMs = 30_000
const longestMs = 600_000

/** A start failed. `createdAt` tells whether it was begun before the last failure was known. */
export function failedStart(before: Backoff | undefined, createdAt: Moment, now: Moment): Backoff {
  if (before === undefined) return { failures: 1, lastAt: now }
  return createdAt < before.lastAt ? before : { failures: before.failures + 1, lastAt: now }
}

/** When the next start may be made. */
export function nextStartAt(backoff: Backoff | undefined, now: Moment): Moment {
  return backoff === undefined ? now : Math.max(now, backoff.lastAt + delayMs(backoff.failures))
}

/** 30 s after the first failure, 60 s after the second, and so on up to ten minutes. */
export function delayMs(failures: number): number {
  return Math.min(failures * stepMs, longestMs)
}
