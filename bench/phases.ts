/** What came of the calls of one phase. */
export interface Phase {
  /** Milliseconds from when each was due until its answer. */
  readonly directMs: number[]
  /** Milliseconds from when each was due until it arrived at its app. */
  readonly queuedMs: number[]
  readonly failures: string[]
}

/** Below which `share` of them are. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
