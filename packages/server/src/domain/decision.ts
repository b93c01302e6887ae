import type { Moment } from '../kit/clock.ts'
import type { RevisionId, RunnerId } from './ids.ts'
import type { Unplaced } from './placement.ts'
import type { EndReason, Exit, StopReason } from './runner.ts'
import type { ScaleSettings } from './scale.ts'
import type { Calculation, Desired } from './scaling.ts'

/**
 * Why an app has as many runners as it has: what was seen, what follows from it, what was done and what stood in the
 * way. Data only: `decision-words.ts` makes sentences of it.
 */
export interface Decision {
  readonly at: Moment
  /** Absent where the app is gone, or has no active revision yet. */
  readonly scaling?: ScalingFacts
  readonly there: RunnersThere
  /** The revision that a rolling deploy is bringing up beside the active one. */
  readonly rolling?: RevisionId
  readonly steps: readonly Step[]
  readonly blocks: readonly Block[]
}

/** What the number of runners of the active revision follows from. */
export interface ScalingFacts {
  readonly scale: ScaleSettings
  readonly running: number
  /** Requests without a slot. Those of a paused queue are not among them. */
  readonly waiting: number
  readonly waitingSince?: Moment
  /** With all requests. Above it, idle runners may go. */
  readonly atMost: Calculation
  /** Without those that have not waited for `scaling_delay` yet. Below it, runners are started. The same where none is patient. */
  readonly atLeast: Calculation
  /** What is gone by: what was calculated, or more for a while. */
  readonly desired: Desired
  /** Why more are wanted than the formula says: new runners take over from old ones; or one is to be ready after a switch. */
  readonly lifted?: 'handover' | 'warming'
  /** Runners that count: those of the active revision that are there or on their way. */
  readonly counted: number
}

/** Live runners of an app, whatever their revision, by what they are doing. */
export interface RunnersThere {
  readonly pending: number
  readonly starting: number
  /** When the one began that has been starting for longest. */
  readonly startingSince?: Moment
  readonly idle: number
  /** Of those, how many are frozen. Absent: none. */
  readonly frozen?: number
  readonly busy: number
  readonly ending: number
  /** Of those, how many still work on requests. */
  readonly finishing: number
}

export type Step =
  | {
      readonly kind: 'start'
      readonly cause: 'demand' | 'rolling' | 'replace'
      /** Those that are started; none of a decision that was not carried out. */
      readonly runners: readonly RunnerId[]
      readonly count: number
      /** Present when they wait before they begin. */
      readonly startAt?: Moment
    }
  /** The wait of a pending runner is over. */
  | { readonly kind: 'begin'; readonly runner: RunnerId }
  /** A runner that did not serve yet ends. */
  | { readonly kind: 'cancel'; readonly runner: RunnerId; readonly cause: StopReason; readonly isAboveCap: boolean }
  | {
      readonly kind: 'drain'
      readonly runner: RunnerId
      readonly cause: StopReason
      readonly idleMs: number
      /** How long it could idle: `keep_alive`, or what counts for a runner that never had a request. */
      readonly limitMs: number
      readonly used: boolean
    }

/** What keeps the number of runners from being what the requests call for. */
export type Block =
  | { readonly kind: 'max_concurrency'; readonly wanted: number; readonly cap: number }
  | {
      readonly kind: 'backoff'
      readonly revisionId: RevisionId
      readonly until: Moment
      readonly failures: number
      readonly failed?: FailedStart
    }
  | { readonly kind: 'scaling_delay'; readonly until: Moment; readonly seconds: number; readonly waiting: number }
  | { readonly kind: 'paused'; readonly held: number }
  /** Runners that are wanted have no place on any machine yet. */
  | { readonly kind: 'no_place'; readonly runners: number; readonly why: Unplaced }
  /** Its first deploy is under way: there is no active revision to have runners of. */
  | { readonly kind: 'first_deploy'; readonly revisionId: RevisionId }

/** The start that the last wait of its revision is for. */
export interface FailedStart {
  readonly runnerId: RunnerId
  readonly reason: EndReason
  readonly endedAt: Moment
  readonly exit?: Exit
}

/** A decision that was taken, once or several times in a row with nothing new but the time. */
export interface KeptDecision {
  readonly decision: Decision
  readonly firstAt: Moment
  readonly times: number
}

/** What is known of an app's runners: what would be decided now, and what was decided lately, the last one first. */
export interface Decisions {
  readonly now: Decision
  readonly kept: readonly KeptDecision[]
}

/**
 * Whether a decision says nothing new after another: nothing is done in either, and the same stands in the way of the
 * same numbers. What is done is always news.
 */
export function saysTheSame(one: Decision, other: Decision): boolean {
  if (one.steps.length > 0 || other.steps.length > 0) return false
  return (
    one.scaling?.counted === other.scaling?.counted &&
    one.scaling?.desired.atMost === other.scaling?.desired.atMost &&
    one.blocks.length === other.blocks.length &&
    one.blocks.every((block, index) => isSameBlock(block, other.blocks[index]))
  )
}

/** A wait that was begun anew is another one. */
function isSameBlock(one: Block, other: Block | undefined): boolean {
  if (one.kind !== other?.kind) return false
  if (one.kind === 'no_place') return one.why.kind === (other as typeof one).why.kind
  return one.kind !== 'backoff' || one.until === (other as typeof one).until
}
