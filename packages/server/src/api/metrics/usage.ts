import type { RunnerUsage } from '../../backends/backend.ts'
import type { RunnerId } from '../../domain/ids.ts'
import type { Moment } from '../../kit/clock.ts'

/** What runners had used at a moment. */
export interface UsageSample {
  readonly at: Moment
  readonly of: ReadonlyMap<RunnerId, RunnerUsage>
}

/** What an app's runners use, summed. */
export interface AppUsage {
  /** Of one core. Absent until one of them stands in two samples. */
  readonly cpuPercent?: number
  /** Absent when nothing is known of any. */
  readonly memoryBytes?: number
}

/** What these runners use, as two samples tell it. One that came in between counts for its memory alone. */
export function usageOf(runners: readonly RunnerId[], before: UsageSample | undefined, now: UsageSample): AppUsage {
  const known = runners.flatMap((id) => now.of.get(id) ?? [])
  const seconds = before === undefined ? 0 : (now.at - before.at) / 1_000
  const spent = runners.flatMap((id) => {
    const [earlier, later] = [before?.of.get(id), now.of.get(id)]
    return earlier === undefined || later === undefined ? [] : Math.max(0, later.cpuSeconds - earlier.cpuSeconds)
  })
  return {
    ...(seconds > 0 && spent.length > 0 && { cpuPercent: (100 * sum(spent)) / seconds }),
    ...(known.length > 0 && { memoryBytes: sum(known.map(({ memoryBytes }) => memoryBytes)) }),
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}
