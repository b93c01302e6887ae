import type { Moment } from '../kit/clock.ts'
import type { HealthCheck } from './revision.ts'

/** What is known of the health of a runner whose app declares a check (platform-behaviour §1.7). */
export interface Health {
  /** Failures before this count for nothing. */
  readonly countsFrom: Moment
  /** When the next check is due, unless the app wants none but those that it asks for. */
  readonly dueAt?: Moment
  /** Checks that failed one after the other and counted. */
  readonly failures: number
}

const everyMs = 15_000

/** How a runner begins to serve. A start-up that may take longer than the start period lengthens it. */
export function beginHealth(
  { startPeriodSeconds, callRegularly }: HealthCheck,
  { startedAt, readyBy }: { readonly startedAt: Moment; readonly readyBy: Moment },
  now: Moment,
): Health {
  const countsFrom = Math.max(startedAt + startPeriodSeconds * 1_000, readyBy)
  return { countsFrom, failures: 0, ...(callRegularly ? { dueAt: now + everyMs } : {}) }
}

/** Whether it is to be asked now: every 15 s, and beside its requests unless the app forbids that. */
export function isDue({ allowOnBusy = true }: HealthCheck, { dueAt }: Health, inFlight: number, now: Moment): boolean {
  return dueAt !== undefined && dueAt <= now && (allowOnBusy || inFlight === 0)
}

/** A check was sent. The next one keeps the pace, unless this one was late by more than a turn. */
export function sent(health: Health, now: Moment): Health {
  const inPace = (health.dueAt ?? now) + everyMs
  return { ...health, dueAt: inPace > now ? inPace : now + everyMs }
}

/** A check was answered, or not. One that went well wipes out those that failed. */
export function answered(health: Health, well: boolean, now: Moment): Health {
  if (well) return health.failures === 0 ? health : { ...health, failures: 0 }
  return now < health.countsFrom ? health : { ...health, failures: health.failures + 1 }
}

/** Whether it failed so many times in a row that it is to be replaced. */
export function isIll({ failureThreshold }: HealthCheck, { failures }: Health): boolean {
  return failures >= failureThreshold
}
