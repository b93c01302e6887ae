import type { Moment } from '../kit/clock.ts'
import type { AppId, RequestId, RevisionId, RunnerId } from './ids.ts'
import type { Placement, Unplaced } from './placement.ts'
import type { EndReason, Exit } from './runner.ts'

/** What people are told a runner is doing: its stored state, made finer by its home's counts and the backend's sightings. */
export type RunnerViewState =
  | 'pending'
  | 'docker_pull'
  | 'setup'
  | 'idle'
  | 'running'
  | 'draining'
  | 'terminating'
  | 'terminated'
  | 'crash_backoff'

/** Whether another runner takes its place: not wanted, started already, or to be started once it is gone. */
export type Replacement = 'none' | 'will' | 'did'

/** A request that a runner holds, and since when. */
export interface Held {
  readonly id: RequestId
  readonly since: Moment
}

/** A runner as listings show it. */
export interface RunnerView {
  readonly id: RunnerId
  readonly appId: AppId
  /** Also of an app that was deleted. */
  readonly appName: string
  readonly revisionId: RevisionId
  readonly state: RunnerViewState
  readonly inFlight: number
  /** The requests that it holds now. */
  readonly requests: readonly Held[]
  readonly uptimeSeconds: number
  /** Until its keep-alive ends; absent while it is busy or never expires. */
  readonly expiresInSeconds?: number
  /** Since when it is frozen; only of one that is idle. */
  readonly frozenSince?: Moment
  readonly machineType: string
  /** Where it is, and what it holds there; absent until it has a place. */
  readonly placement?: Placement
  /** Why it is still pending although it could begin. */
  readonly waitsFor?: Unplaced
  readonly replacement: Replacement
  readonly startedAt?: Moment
  readonly endedAt?: Moment
  /** Why it ended, or is asked to. */
  readonly reason?: EndReason
  readonly exit?: Exit
}
