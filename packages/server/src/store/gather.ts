/** What is known when the disk is free and writes are waiting. Times are in milliseconds, on a monotonic scale. */
export interface Gathering extends InHand {
  /** How long the oldest of the waiting writes could have been on its way already. */
  readonly waited: number
  /** How long ago the newest of them came. */
  readonly quiet: number
}

/** Writes in hand, and those that may be about to come. */
export interface InHand {
  readonly waiting: number
  /** With the writers that were answered lately and may be about to come back. */
  readonly expected: number
  /** How long a commit has taken lately. */
  readonly commit: number
  /** How much of that was spent on getting it to disk, however many writes are in it. */
  readonly sync: number
  /** How far apart writes have come lately. */
  readonly apart: number
}

/** However slow the disk, and whatever it did last: nobody is kept longer than this. */
export const longestWait = 20

/** A disk so fast that a pause between two arrivals looks long still leaves time for one turn of the network. */
const shortestPause = 0.3

/**
 * Whether to commit what is in hand, or to wait for writers that the last commits answered and that usually come back.
 *
 * A commit costs about the same for one write as for sixty, and writers that were answered together return one after
 * another. A writer that is alone never waits. The others wait while writes keep coming, for at most two commits' time.
 */
export function decide(gathering: Gathering): 'commit' | 'wait' {
  const { waiting, waited, quiet, commit } = gathering
  if (waiting === 0) return 'wait'
  if (isEnough(gathering)) return 'commit'
  if (waited >= Math.min(2 * Math.max(commit, shortestPause), longestWait)) return 'commit'
  return quiet >= Math.max(commit / 2, shortestPause) ? 'commit' : 'wait'
}

/**
 * Whether nothing is won by waiting: all are here, or half of them, and all would take longer to come than a sync. Then
 * the disk works for one half while the server works for the other. On a slow disk one commit for all is better than two for half.
 */
export function isEnough({ waiting, expected, sync, apart }: InHand): boolean {
  if (waiting >= expected) return true
  return 2 * waiting >= expected && 2 * (expected - waiting) * apart >= sync
}

/** What usually takes so long, following the newest without jumping to it. */
export function usualTime(usual: number, newest: number): number {
  return usual === 0 ? newest : usual + (newest - usual) / 4
}
