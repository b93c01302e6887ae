import { assertNever } from '../kit/assert-never.ts'
import type { Moment } from '../kit/clock.ts'
import type { AccountId, AppId, KeyId, RevisionId, RunnerId } from './ids.ts'
import type { Placement } from './placement.ts'

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
  /** The one that it has; until it has a place the one that it would have first. */
  readonly machineType: string
  readonly createdAt: Moment
  /** The key minted for it; revoked at its end. */
  readonly keyId?: KeyId
  /** Of every runner that was started. */
  readonly placement?: Placement
}

/** Wanted, not started: it waits for `startAt` when earlier starts of the revision failed. */
export interface Pending extends Identity {
  readonly state: 'pending'
  readonly startAt: Moment
}

/** Started; its port is not open yet. */
export interface Setup extends Identity {
  readonly state: 'setup'
  readonly startedAt: Moment
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

/** Why it was asked to end. */
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
  | 'crash'
  | 'host_maintenance'
  | 'shutdown'

/** What it wanted more of than it may have: memory, processes, room for its files. */
export type Exceeded = 'oom' | 'pids' | 'disk'

/** Why it is gone: it was asked to end, it never began to serve, it wanted too much, or the platform itself went down. */
export type EndReason = StopReason | 'startup_timeout' | 'startup_failure' | Exceeded | 'server_restart'

/** What a backend can say about a runner. */
export type Sighting =
  | { readonly kind: 'unlisted' | 'pulling' | 'starting' }
  | { readonly kind: 'accepting'; readonly address: Address }
  /** `exceeded`: it ended, or was ended, for wanting more of that than it may have. */
  | { readonly kind: 'exited'; readonly exit: Exit; readonly exceeded?: Exceeded }

export function pend(identity: Identity, startAt: Moment): Pending {
  return { ...identityOf(identity), state: 'pending', startAt }
}

/** It has a place. */
export function place(runner: Pending, placement: Placement): Pending {
  return { ...runner, machineType: placement.machineType, placement }
}

/** Its wait is over, whatever it was for: another start of its revision has succeeded. */
export function awaken(runner: Pending, now: Moment): Pending {
  return runner.startAt <= now ? runner : { ...runner, startAt: now }
}

/** From here on its start-up counts: its port must open within `startupMs`. */
export function start(runner: Pending, startupMs: number, now: Moment): Setup {
  return { ...identityOf(runner), state: 'setup', startedAt: now, readyBy: now + startupMs }
}

/** Its image is there: only from here on its start-up counts (platform-behaviour §1.3, settled). */
export function pulled(runner: Setup, now: Moment): Setup {
  return { ...runner, startedAt: now, readyBy: now + (runner.readyBy - runner.startedAt) }
}

/** Longest wait for an image beyond the time of a start-up. */
const mostPullMs = 30 * 60_000

/** Its port must open within `startupMs` of its start. */
export function readyWithin(runner: Setup, startupMs: number): Setup {
  const readyBy = runner.startedAt + startupMs
  return readyBy === runner.readyBy ? runner : { ...runner, readyBy }
}

export function drain(runner: Serving, reason: StopReason, since: Moment): Draining {
  return { ...identityOf(runner), state: 'draining', reason, since, address: runner.address }
}

/** It ends at `moment` whatever it does, unless an earlier one was set. */
export function killBy(runner: Draining, moment: Moment): Draining {
  return { ...runner, killAt: Math.min(runner.killAt ?? moment, moment) }
}

export interface DrainLimits {
  readonly inFlight: number
  /** What it may still need after its last request: teardown, background uploads. */
  readonly graceMs: number
  /** No request runs longer. */
  readonly requestTimeoutMs: number
}

/** The grace counts from the end of the last request; waiting for that is bounded too. */
export function bound(runner: Draining, { inFlight, graceMs, requestTimeoutMs }: DrainLimits, now: Moment): Draining {
  if (runner.killAt !== undefined) return runner
  if (inFlight === 0) return killBy(runner, now + graceMs)
  return now >= runner.since + requestTimeoutMs ? killBy(runner, now) : runner
}

export function terminate(runner: LiveRunner, reason: EndReason, endedAt: Moment, exit?: Exit): Terminated {
  return { ...identityOf(runner), state: 'terminated', reason, endedAt, ...(exit === undefined ? {} : { exit }) }
}

/** Folds a sighting into a runner. Late and repeated sightings change nothing. */
export function observe(runner: LiveRunner, seen: Sighting, now: Moment): Runner {
  if (seen.kind === 'exited') return terminate(runner, exitReason(runner, seen.exceeded), now, seen.exit)
  switch (runner.state) {
    case 'pending':
      return runner
    case 'setup':
      if (seen.kind === 'accepting') return serve(runner, seen.address, now)
      return now > runner.readyBy + (seen.kind === 'pulling' ? mostPullMs : 0)
        ? terminate(runner, 'startup_timeout', now)
        : runner // may not be listed yet
    case 'serving':
      return seen.kind === 'unlisted' ? terminate(runner, 'crash', now) : runner
    case 'draining':
      return seen.kind === 'unlisted' ? terminate(runner, runner.reason, now) : runner
    default:
      return assertNever(runner)
  }
}

/** Whether a start of its revision has failed with it, if it never served: such ends make the next start wait. */
export function isFailedStart(runner: Terminated): boolean {
  return runner.reason === 'startup_failure' || runner.reason === 'startup_timeout' || isExceeded(runner.reason)
}

/** Whether it wanted more than it may have. */
export function isExceeded(reason: EndReason): reason is Exceeded {
  return reason in exceededWords
}

/** What a runner did that ended like this, for the end of a sentence. */
export const exceededWords: Readonly<Record<Exceeded, string>> = {
  oom: 'used more memory than its machine type has',
  pids: 'wanted more processes and threads than a runner may have',
  disk: 'wrote more into its own files than a runner may keep',
}

function serve(runner: Setup, address: Address, readyAt: Moment): Serving {
  return { ...identityOf(runner), state: 'serving', address, readyAt }
}

function exitReason(runner: LiveRunner, exceeded?: Exceeded): EndReason {
  if (exceeded !== undefined) return exceeded
  if (runner.state === 'draining') return runner.reason
  return runner.state === 'serving' ? 'crash' : 'startup_failure'
}

function identityOf(runner: Identity): Identity {
  const { id, appId, accountId, revisionId, machineType, createdAt, keyId, placement } = runner
  const identity = { id, appId, accountId, revisionId, machineType, createdAt }
  return {
    ...identity,
    ...(keyId === undefined ? {} : { keyId }),
    ...(placement === undefined ? {} : { placement }),
  }
}
