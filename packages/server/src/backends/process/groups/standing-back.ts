const longestMs = 3_000
/** Where nobody tells what a runner has used. */
const longestUntoldMs = 1_000
/** Of one core, what all that start together must get of it. */
const leastShare = 1 / 10

/** A start that has stood back behind everybody so far. */
export interface Start {
  readonly forMs: number
  /** What it has used of the CPU meanwhile. */
  readonly cpuMs: number | undefined
  /** How many stand back now, itself included. */
  readonly starting: number
}

/**
 * Whether it goes on standing back: for a few times what a start takes beside usual load, and no longer once others leave
 * next to nothing to those that start. It would never end on a machine whose CPU others take for good.
 */
export function standsBack({ forMs, cpuMs, starting }: Start): boolean {
  if (cpuMs === undefined) return forMs < longestUntoldMs
  return forMs < longestMs && cpuMs >= (forMs * leastShare) / starting
}
