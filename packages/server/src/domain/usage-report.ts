import type { Moment } from '../kit/clock.ts'
import { nothing, plus, type Quantities } from './usage.ts'

/** What sums can be told apart by. Times are UTC. */
export const usageDimensions = [
  'app',
  'environment',
  'revision',
  'machine-type',
  'caller',
  'key',
  'hour',
  'day',
  'month',
] as const

export type UsageDimension = (typeof usageDimensions)[number]

/** A sum, and what it is of: null where that is not known, or not the reader's to know. */
export interface UsageEntry {
  readonly of: Readonly<Record<Exclude<UsageDimension, 'hour' | 'day' | 'month'>, string | null>>
  readonly hour: Moment
  readonly used: Quantities
  /** Money, in the operator's currency. */
  readonly cost: number
}

export interface UsageRow {
  /** By the names of what was asked to be told apart. */
  readonly of: Readonly<Record<string, string | null>>
  readonly used: Quantities
  readonly cost: number
}

/** Sums of all entries that are the same in what is told apart: times in their order, then what was used most. */
export function grouped(entries: readonly UsageEntry[], by: readonly UsageDimension[]): readonly UsageRow[] {
  const rows = new Map<string, UsageRow>()
  for (const entry of entries) {
    const of = Object.fromEntries(by.map((dimension) => [dimension, valueOf(entry, dimension)]))
    const key = JSON.stringify(Object.values(of))
    const before = rows.get(key) ?? { of, used: nothing, cost: 0 }
    rows.set(key, { of, used: plus(before.used, entry.used), cost: before.cost + entry.cost })
  }
  const times = by.filter(isTime)
  const timeIn = ({ of }: UsageRow) => times.map((dimension) => of[dimension]).join(' ')
  return [...rows.values()]
    .filter(({ used }) => Object.values(used).some((amount) => amount !== 0))
    .toSorted(
      (one, other) =>
        inOrder(timeIn(one), timeIn(other)) ||
        other.used.runnerMs - one.used.runnerMs ||
        inOrder(JSON.stringify(one.of), JSON.stringify(other.of)),
    )
}

/** Everything as one row. */
export function total(entries: readonly UsageEntry[]): Pick<UsageRow, 'used' | 'cost'> {
  return entries.reduce((sum, { used, cost }) => ({ used: plus(sum.used, used), cost: sum.cost + cost }), {
    used: nothing,
    cost: 0,
  })
}

/** The finest time that is told apart. */
export function finestMs(by: readonly UsageDimension[]): number | undefined {
  if (by.includes('hour')) return 3_600_000
  return by.includes('day') || by.includes('month') ? 86_400_000 : undefined
}

function valueOf({ of, hour }: UsageEntry, dimension: UsageDimension): string | null {
  const time = new Date(hour).toISOString()
  if (dimension === 'hour') return `${time.slice(0, 13)}:00Z`
  if (dimension === 'day') return time.slice(0, 10)
  return dimension === 'month' ? time.slice(0, 7) : of[dimension]
}

const isTime = (dimension: UsageDimension) => dimension === 'hour' || dimension === 'day' || dimension === 'month'
const inOrder = (one: string, other: string) => (one < other ? -1 : one > other ? 1 : 0)
