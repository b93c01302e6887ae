import type { Moment } from '../kit/clock.ts'
import type { RevisionId } from './ids.ts'
import type { RunnerView } from './runner-view.ts'
import type { LiveRunner, Terminated } from './runner.ts'

/** A rolling deploy while it waits for the first healthy runner of its revision. */
export interface Rollout {
  readonly since: Moment
  readonly startupTimeoutMs: number
  /** Live runners of the new revision. */
  readonly runners: readonly LiveRunner[]
  /** A start of it that failed since it began. */
  readonly failed?: Terminated
}

export type RolloutStep =
  | { readonly kind: 'wait'; readonly until: Moment }
  | { readonly kind: 'switch' }
  | { readonly kind: 'abort'; readonly reason: 'failed_start' | 'too_long' }

/** One healthy runner is enough to switch; the first start that fails ends the deploy, and so does waiting too long. */
export function rolloutStep({ since, startupTimeoutMs, runners, failed }: Rollout, now: Moment): RolloutStep {
  if (runners.some(({ state }) => state === 'serving')) return { kind: 'switch' }
  if (failed !== undefined) return { kind: 'abort', reason: 'failed_start' }
  const until = since + 2 * startupTimeoutMs
  return now > until ? { kind: 'abort', reason: 'too_long' } : { kind: 'wait', until }
}

/**
 * How many runners of the old revision still serve after the switch: so many that old and new together carry what
 * the old ones did, or what is wanted now where that is less. `had` is how many there were at the switch.
 */
export function oldRunnersKept({ had, ready, desired }: { had: number; ready: number; desired: number }): number {
  return Math.max(0, Math.min(had, desired) - ready)
}

/**
 * What an app's renewal, the same revision on new runners, wants of one runner. Gently, each that serves goes once its
 * successor is ready, so there are more than the cap for a while; by force, all that run end now. What has not started
 * will be new anyway, and what goes already has nothing to be replaced for.
 */
export function renewalOf(
  { state, revisionId }: Pick<RunnerView, 'state' | 'revisionId'>,
  { active, force }: { readonly active: RevisionId | undefined; readonly force: boolean },
): 'kill' | 'replace' | 'leave' {
  if (state === 'pending' || state === 'crash_backoff' || state === 'terminated') return 'leave'
  if (force) return 'kill'
  return revisionId === active && (state === 'idle' || state === 'running') ? 'replace' : 'leave'
}
