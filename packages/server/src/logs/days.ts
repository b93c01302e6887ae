import type { Moment } from '../kit/clock.ts'

/** A UTC day: days since 1970. Each has a file of its own. */
export type Day = number

const dayMs = 86_400_000

export function dayOf(at: Moment): Day {
  return Math.floor(at / dayMs)
}

/** Its first moment. */
export function startOf(day: Day): Moment {
  return day * dayMs
}

export function fileNameOf(day: Day): string {
  return `${new Date(day * dayMs).toISOString().slice(0, 10)}.sqlite`
}

/** The day of a log file, also of what SQLite keeps beside it and of one that was set aside. */
export function dayOfFile(name: string): Day | undefined {
  const [, date, rest] = /^(\d{4}-\d{2}-\d{2})\.sqlite(.*)$/.exec(name) ?? []
  if (date === undefined || rest === undefined) return undefined
  const at = Date.parse(`${date}T00:00:00Z`)
  return Number.isNaN(at) ? undefined : dayOf(at)
}

/** Whether a day is so old that its lines are no longer kept. */
export function isExpired(day: Day, today: Day, retentionDays: number): boolean {
  return day <= today - retentionDays
}
