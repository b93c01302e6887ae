import type { Moment } from '../kit/clock.ts'
import type { RevisionId } from './ids.ts'
import type { RunnerView } from './runner-view.ts'
import type { ScaleSettings } from './scale.ts'
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

/** For how long a runner that has nothing to do counts as one that carries the load: as long as one may idle unused. */
const lately = 10_000

/** What is known of a runner of the old revision at the switch. */
export interface Burden {
  readonly inFlight: number
  /** Since when nothing is in flight. */
  readonly idleSince: Moment
  readonly used: boolean
}

/** Whether a runner carries part of the load: it works, or did lately. */
export function carriesLoad({ inFlight, idleSince, used }: Burden, now: Moment): boolean {
  return inFlight > 0 || (used && now - idleSince < lately)
}

/** Until when old runners may serve on after a switch, however far the new ones have come (platform-behaviour §3.5). */
export function handoverEnd(switchedAt: Moment, startupTimeoutMs: number): Moment {
  return switchedAt + 2 * startupTimeoutMs
}

/**
 * How many runners of the new revision take over: as many as carried the load of the old one, and more where more are
 * wanted now. Old and new together may be twice the cap, the new ones alone never exceed it.
 */
export function successorsWanted(counts: {
  readonly carried: number
  readonly desired: number
  readonly cap: number
}): number {
  return Math.min(counts.cap, Math.max(1, counts.carried, counts.desired))
}

/**
 * How many runners of the old revision serve on: each new one that is ready takes over its share of them, so the last
 * goes with the last. `had` is how many there were at the switch, `wanted` how many new ones take over.
 */
export function oldRunnersKept(counts: {
  readonly had: number
  readonly ready: number
  readonly wanted: number
}): number {
  const { had, ready, wanted } = counts
  return Math.max(0, had - Math.floor((had * ready) / wanted))
}

/** Runners of a revision that is called by name, beside all those of its app. */
const mostByName = 2

/** How a revision scales that is called by its name: as its code says, with no runner that nobody calls, and few at most. */
export function scaleByName(code: ScaleSettings): ScaleSettings {
  const nobody = { min_concurrency: 0, concurrency_buffer: 0, concurrency_buffer_perc: 0 }
  return { ...code, ...nobody, max_concurrency: Math.min(code.max_concurrency, mostByName) }
}

export type DeploymentStatus = 'deployed' | 'failed' | 'deploying'

/**
 * How a revision's last deployment ended (platform-behaviour §4.1). Undefined for one that calls never went to and that
 * did not fail: it was not promoted, or gave way to a newer one.
 */
export function deploymentStatus(revision: {
  readonly isCurrent: boolean
  readonly isRolling: boolean
  readonly deployedAt?: Moment
  readonly failedAt?: Moment
}): DeploymentStatus | undefined {
  const { isCurrent, isRolling, deployedAt, failedAt } = revision
  if (isRolling) return 'deploying'
  if (failedAt !== undefined && failedAt > (deployedAt ?? 0)) return 'failed'
  return isCurrent || deployedAt !== undefined ? 'deployed' : undefined
}

/**
 * What an app's renewal, the same revision on new runners, wants of one runner. Gently, each that serves goes once its
 * successor is ready, so there are more than the cap for a while; by force, all that run end now. What has not started
 * will be new anyway, and what goes already has nothing to be replaced for. One in setup was told the old secrets: it
 * starts anew.
 */
export function renewalOf(
  { state, revisionId }: Pick<RunnerView, 'state' | 'revisionId'>,
  { active, force }: { readonly active: RevisionId | undefined; readonly force: boolean },
): 'kill' | 'replace' | 'leave' {
  if (state === 'pending' || state === 'crash_backoff' || state === 'terminated') return 'leave'
  if (force) return 'kill'
  return revisionId === active && renewed.has(state) ? 'replace' : 'leave'
}

const renewed: ReadonlySet<RunnerView['state']> = new Set(['docker_pull', 'setup', 'idle', 'running'] as const)
