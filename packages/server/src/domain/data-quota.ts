import type { Moment } from '../kit/clock.ts'

/** Most bytes that an account may keep in `/data`; Infinity where there is no limit. */
export type DataLimit = number

/** An own value of an account comes before that of the server; 0 is no limit. */
export function dataLimit(own: number | undefined, ofServer: number): DataLimit {
  const said = own ?? ofServer
  return said === 0 ? Infinity : said
}

/** What was measured last. */
export interface Measured {
  readonly bytes: number
  readonly at: Moment
  readonly tookMs: number
}

/** To look at many files is work for the disk: it gets at most this part of the time. */
const mostOfTime = 1 / 20

/** When an account is to be measured: at once when never, then every `everyMs`, and less often where that takes long. */
export function measureAt(last: Measured | undefined, everyMs: number): Moment {
  return last === undefined ? 0 : last.at + Math.max(everyMs, last.tookMs / mostOfTime)
}

export const isOver = (used: number, limit: DataLimit): boolean => used > limit

/** So far beyond that whoever still writes is asked to end: what was measured is never quite what is there. */
export const isFarOver = (used: number, limit: DataLimit): boolean => used > limit * 1.1
