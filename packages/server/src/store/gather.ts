/** What is known when the disk is free and writes are waiting. Times are in milliseconds, on a monotonic scale. */
export interface Gathering {
  /** Writes in hand. */
  readonly waiting: number
  /** Writers that may be about to come back: see `expectWriters`. */
  readonly expected: number
  /** How long the oldest of the waiting writes could have been on its way already. */
  readonly waited: number
  /** How long ago the newest of them came. */
  readonly quiet: number
  /** How long a commit has taken lately. */
  readonly commit: number
}

/** However slow the disk, and whatever it did last: nobody is kept longer than this. */
const longestWait = 20

/** A disk so fast that a pause between two arrivals looks long still leaves time for one turn of the network. */
const shortestPause = 0.3

/**
 * Whether to commit what is in hand, or to wait for writers that the last commits answered and that usually come back.
 *
 * A commit costs about the same for one write as for sixty, and writers that were answered together return one after
 * another. A writer that is alone never waits. The others wait while writes keep coming, for at most two commits' time.
 */
export function decide({ waiting, expected, waited, quiet, commit }: Gathering): 'commit' | 'wait' {
  if (waiting === 0) return 'wait'
  if (waiting >= expected) return 'commit'
  if (waited >= Math.min(2 * Math.max(commit, shortestPause), longestWait)) return 'commit'
  return quiet >= Math.max(commit / 2, shortestPause) ? 'commit' : 'wait'
}

/** How many writers to wait for after commits of these sizes: one odd small group does not end a habit, two do. */
export function expectWriters(last: number, beforeLast: number): number {
  return Math.max(last, beforeLast)
}

/** The usual time of a commit, following the newest without jumping to it. */
export function commitTime(usual: number, newest: number): number {
  return usual === 0 ? newest : usual + (newest - usual) / 4
}
