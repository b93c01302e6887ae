/**
 * Scheduler: makes the runners that exist match the runners that are wanted.
 * Reads apps, loads and live runners, writes runners and the end of rolling deploys, acts on the backend. One at a time
 * per installation.
 */
import type { Keyring } from '../access/keyring.ts'
import type { ExecCommand, ExecSession, RunnerBackend, RunnerUsage } from '../backends/backend.ts'
import type { Decisions } from '../domain/decision.ts'
import type { Hardware } from '../domain/hardware.ts'
import type { AccountId, AppId, RevisionId, RunnerId } from '../domain/ids.ts'
import type { Maintained, Maintenance } from '../domain/maintenance.ts'
import type { Placed, Unplaced } from '../domain/placement.ts'
import type { RunnerView } from '../domain/runner-view.ts'
import type { EndReason, Exceeded, StopReason, Terminated } from '../domain/runner.ts'
import type { Apps } from '../home/apps.ts'
import type { Budgets } from '../home/budgets.ts'
import type { Homes } from '../home/home.ts'
import type { Clock, Moment } from '../kit/clock.ts'
import type { Logger } from '../kit/logger.ts'
import type { LogLine, LogStore } from '../logs/log-store.ts'
import type { Store } from '../store/store.ts'
import type { Launch } from './launch.ts'
import type { Probe } from './probe.ts'
import type { HostFollower } from './runs.ts'

export interface SchedulerParts {
  readonly store: Store
  readonly homes: Homes
  readonly apps: Apps
  readonly backend: RunnerBackend
  /** What runners are placed on. */
  readonly hardware: Hardware
  /** For whom nothing more is started. */
  readonly budgets: Pick<Budgets, 'spentOf'>
  readonly keyring: Pick<Keyring, 'prepare' | 'learn' | 'forget'>
  readonly logs: Pick<LogStore, 'append' | 'tail'>
  readonly launch: Launch
  readonly clock: Clock
  readonly log: Logger
  /** Longest time between two passes. */
  readonly everyMs: number
  /** After so many seconds of idleness runners are frozen whose app says nothing of it. Absent, or 0: never. */
  readonly freezeAfterSeconds?: number
  /** How it is looked whether runners are well: by their sockets, unless said otherwise. */
  readonly probe?: Probe
}

export interface Scheduler {
  /** The machines that are in maintenance. */
  maintained(): Maintained
  /** Takes a machine into maintenance: it gets no new runners and those that it has are asked to end. Resolves when they are. */
  maintain(maintenance: Maintenance): Promise<void>
  /** A machine serves again. */
  endMaintenance(machineId: string): Promise<void>
  /** The live runners of all accounts that have a place, oldest first. */
  placed(): readonly Placed[]
  /** An account's live runners, oldest first, and those that ended since then. */
  listing(accountId: AccountId, endedSince?: Moment): Promise<readonly RunnerView[]>
  /** Lets it finish its requests and then end; with `replaceFirst` its successor serves before. */
  stopRunner(id: RunnerId, options: { readonly replaceFirst: boolean; readonly reason?: StopReason }): Promise<void>
  /** Ends it now. */
  killRunner(id: RunnerId, reason?: StopReason): Promise<void>
  /** What the live runners use of the machine. */
  usage(): Promise<ReadonlyMap<RunnerId, RunnerUsage>>
  /** Starts a command beside a runner. Throws `runner_not_found`, `exec_failed` or `too_busy`. */
  execIn(id: RunnerId, command: ExecCommand): Promise<ExecSession>
  /** A call went badly: looks whether the runner still answers, or ends it and lets another take its place. */
  verdict(id: RunnerId, verdict: 'check' | 'probe' | 'terminate', reason: StopReason): void
  /** What a runner wanted too much of, if that has ended it; waits a little for one whose end is not known yet. */
  whatExceeded(id: RunnerId): Promise<Exceeded | undefined>
  /** Why an app has the runners that it has: what would be decided now, and the last decisions. */
  decisions(appId: AppId): Decisions
  /** Why the last start of an app's active revision failed, until one succeeds. */
  startFailureOf(appId: AppId): EndReason | undefined
  /** Whether an app has no runner that serves or will, and gets none because its account may spend no more this month. */
  isOverBudget(appId: AppId): boolean
  /** Why a runner of an app that is wanted has no place. */
  unplacedOf(appId: AppId): Unplaced | undefined
  /** The app has moved to this revision: a runner of it starts now, whether anybody calls or not. */
  warm(appId: AppId, revisionId: RevisionId): void
  /** Follows a run: what its runners say, and the one whose end is its end. */
  followRun(appId: AppId, say: (line: LogLine) => void): Promise<Terminated>
  /** Ends what is left of a run, within a second. */
  endRun(appId: AppId): void
  /** Follows the runners of a function host, until what it returns is called. To be called before its app is made. */
  followHost(appId: AppId, follower: HostFollower): () => void
  /** Whether an app has runners that have not ended. */
  hasRunners(appId: AppId): boolean
  /** Makes a whole pass that begins after this call. Only needed by those who move the clock. */
  look(): Promise<void>
  /** Asks every runner to finish and returns when all are gone: its requests have `graceMs`, then its teardown has its grace. */
  stop(limits: { readonly graceMs: number }): Promise<void>
}
