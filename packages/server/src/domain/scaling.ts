import type { Moment } from '../kit/clock.ts'
import type { ScaleSettings } from './scale.ts'

/** What one app is asked to do now. */
export interface Demand {
  /** Requests that are being processed. */
  readonly running: number
  /** Requests that wait for a slot. */
  readonly waiting: number
  /** When the longest-waiting of them came. */
  readonly waitingSince?: Moment
}

/** How many runners an app should have. */
export interface Desired {
  /** Below it, more are started. */
  readonly atLeast: number
  /** Above it, idle ones may go. It differs while requests wait that have not waited for `scaling_delay` yet. */
  readonly atMost: number
}

/** How many runners so many requests call for, step by step. */
export interface Calculation {
  /** Requests that are being processed or wait. */
  readonly volume: number
  readonly needed: number
  /** `concurrency_buffer_perc` of those needed, rounded up. */
  readonly share: number
  readonly buffer: number
  /** Before `max_concurrency` has its say. */
  readonly wanted: number
  readonly desired: number
}

export function desiredRunners(scale: ScaleSettings, demand: Demand, now: Moment): Desired {
  const { running, waiting } = demand
  return {
    atLeast: runnersFor(scale, running + (isPatient(scale, demand, now) ? 0 : waiting)),
    atMost: runnersFor(scale, running + waiting),
  }
}

export function runnersFor(scale: ScaleSettings, volume: number): number {
  return calculated(scale, volume).desired
}

/** The documented formula. The percentage counts from the runners needed and is rounded up. */
export function calculated(scale: ScaleSettings, volume: number): Calculation {
  const needed = Math.ceil(volume / scale.max_multiplexing)
  // Before the division, so that 20 % of 5 is 1 and not a little more.
  const share = Math.ceil((scale.concurrency_buffer_perc * needed) / 100)
  const buffer = Math.max(scale.concurrency_buffer, share)
  const wanted = Math.max(scale.min_concurrency, needed + buffer)
  return { volume, needed, share, buffer, wanted, desired: Math.min(scale.max_concurrency, wanted) }
}

/** When waiting requests will have waited long enough to count; undefined when they do, or when none waits. */
export function patientUntil(scale: ScaleSettings, demand: Demand, now: Moment): Moment | undefined {
  if (demand.waiting === 0 || demand.waitingSince === undefined) return undefined
  const until = demand.waitingSince + scale.scaling_delay * 1_000
  return until > now ? until : undefined
}

function isPatient(scale: ScaleSettings, demand: Demand, now: Moment): boolean {
  return patientUntil(scale, demand, now) !== undefined
}

const untouchedSeconds = 10

/** How long a runner may idle before it goes. One that never had a request goes sooner where neither floor nor buffer is set. */
export function idleLimitMs(scale: ScaleSettings, used: boolean): number {
  const wantsSpares = scale.min_concurrency > 0 || scale.concurrency_buffer > 0 || scale.concurrency_buffer_perc > 0
  return (used || wantsSpares ? scale.keep_alive : untouchedSeconds) * 1_000
}
