import type { Moment } from '../kit/clock.ts'
import type { AccountId, AppId, KeyId, RevisionId, RunnerId } from './ids.ts'

/**
 * One process or container serving one revision.
 *
 *     pending ──▶ setup ──▶ serving ──▶ draining ──▶ terminated
 *        └──────────┴──────────┴────────────────────────▲
 *
 * Each state is a type and each arrow a function, so a step that is not drawn here does not compile.
 */
export type Runner = Pending | Setup | Serving | Draining | Terminated
export type LiveRunner = Exclude<Runner, Terminated>

export interface Identity {
  readonly id: RunnerId
  readonly appId: AppId
  readonly accountId: AccountId
  readonly revisionId: RevisionId
  readonly machineType: string
  readonly createdAt: Moment
  /** The key minted for it; revoked at its end. */
  readonly keyId?: KeyId
}

/** Wanted, not started: it waits for `startAt` when earlier starts of the revision failed. */
export interface Pending extends Identity {
  readonly state: 'pending'
  readonly startAt: Moment
}

/** Started; its port is not open yet. */
export interface Setup extends Identity {
  readonly state: 'setup'
  readonly readyBy: Moment
}

export interface Serving extends Identity {
  readonly state: 'serving'
  readonly address: Address
  readonly readyAt: Moment
}

/** SIGTERM was sent; it takes no new requests. SIGKILL follows at `killAt`, which is set once nothing is in flight. */
export interface Draining extends Identity {
  readonly state: 'draining'
  readonly reason: StopReason
  readonly since: Moment
  readonly address?: Address
  readonly killAt?: Moment
}

export interface Terminated extends Identity {
  readonly state: 'terminated'
  readonly reason: EndReason
  readonly endedAt: Moment
  readonly exit?: Exit
}

export interface Address {
  readonly host: string
  readonly port: number
}

export interface Exit {
  readonly code: number | null
  readonly signal: string | null
}

/** Why somebody ended it. */
export type StopReason =
  | 'scale_down'
  | 'keep_alive'
  | 'deploy'
  | 'rollout'
  | 'stopped'
  | 'killed'
  | 'app_deleted'
  | 'app_requested'
  | 'request_timeout'
  | 'health_check'
  | 'shutdown'

/** Why it is gone: somebody ended it, or it ended by itself. */
export type EndReason = StopReason | 'startup_timeout' | 'startup_failure' | 'crash' | 'server_restart'

/** What a backend can say about a runner. */
export type Sighting =
  | { readonly kind: 'unlisted' | 'pulling' | 'starting' }
  | { readonly kind: 'accepting'; readonly address: Address }
  | { readonly kind: 'exited'; readonly exit: Exit }
