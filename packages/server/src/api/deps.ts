import type { Confinement, ExecCommand, ExecSession, RunnerUsage } from '../backends/backend.ts'
import type { BlobStore } from '../blobs/blob-store.ts'
import type { ObjectFiles } from '../blobs/object-files.ts'
import type { RunResults } from '../blobs/run-results.ts'
import type { Decisions } from '../domain/decision.ts'
import type { AccountId, AppId, EnvironmentId, RevisionId, RunnerId } from '../domain/ids.ts'
import type { Hardware } from '../domain/hardware.ts'
import type { BuiltEnvironment, EnvironmentDefinition, ImageCredentials } from '../domain/revision.ts'
import type { Maintained, Maintenance } from '../domain/maintenance.ts'
import type { Placed } from '../domain/placement.ts'
import type { RunnerView } from '../domain/runner-view.ts'
import type { StopReason, Terminated } from '../domain/runner.ts'
import type { SecretValues } from '../domain/secret.ts'
import type { Connection } from '../domain/addresses.ts'
import type { Keyring } from '../access/keyring.ts'
import type { CallTokens } from '../access/call-tokens.ts'
import type { Signer } from '../access/signer.ts'
import type { UploadTokens } from '../access/upload-tokens.ts'
import type { Vault } from '../access/vault.ts'
import type { AccountFiles } from '../files/account-files.ts'
import type { DataQuotas } from '../files/data-quotas.ts'
import type { Fetch } from '../files/fetch-from.ts'
import type { Uploads } from '../files/uploads.ts'
import type { Apps } from '../home/apps.ts'
import type { Budgets } from '../home/budgets.ts'
import type { Homes } from '../home/home.ts'
import type { Clock, Moment } from '../kit/clock.ts'
import type { Logger } from '../kit/logger.ts'
import type { Rejected } from '../kit/rejections.ts'
import type { LogLine, LogStore } from '../logs/log-store.ts'
import type { CommitStats } from '../store/committer.ts'
import type { Store } from '../store/store.ts'
import type { Swept } from './retention/sweep.ts'
import type { Functions } from './runs/function-call.ts'
import type { EngineImages, KeepInEngine, Prune } from './system/keeping.ts'
import type { UsageKeeper } from './usage/keeper.ts'

/** What control operations work with. */
export interface Deps {
  readonly clock: Clock
  readonly log: Logger
  readonly store: Store
  readonly apps: Apps
  readonly homes: Pick<Homes, 'of' | 'totals' | 'usage' | 'freezes'>
  readonly keyring: Pick<Keyring, 'identify' | 'endOf' | 'mint' | 'prepare' | 'refresh'>
  readonly vault: Pick<Vault, 'keep' | 'exposed'>
  readonly blobs: Pick<BlobStore, 'put'>
  readonly objects: Pick<ObjectFiles, 'put' | 'open' | 'remove'>
  readonly uploadTokens: UploadTokens
  readonly callTokens: Pick<CallTokens, 'issue'>
  readonly storage: StorageLimits
  readonly logs: Pick<LogStore, 'page' | 'query' | 'tail' | 'follow' | 'dropped'>
  readonly builder: Builds
  readonly runners: Runners
  /** What runners are placed on. */
  readonly hardware: Hardware
  readonly budgets: Pick<Budgets, 'of'>
  readonly queues: Queues
  /** Requests that may wait in one app's queue. */
  readonly queueLimit: number
  readonly signer: Pick<Signer, 'publicKeys'>
  readonly webhooks: Deliveries
  readonly results: Pick<RunResults, 'take'>
  readonly functions: Functions
  readonly files: AccountFiles
  readonly quotas: DataQuotas
  readonly uploads: Uploads
  readonly fetch: Fetch
  readonly fileLimits: FileLimits
  /** Why runners can have no folders of their own, as half a sentence; undefined where they can. */
  readonly withoutMounts: string | undefined
  /** Throws `bad_request` for a container runtime that an app may not choose here. Absent: there is none to choose. */
  readonly requireRuntime?: (name: string) => void
  readonly server: ServerFacts
  /** What was committed since the start. */
  readonly commits: () => CommitStats
  readonly usageKeeper: Pick<UsageKeeper, 'whileSettled'>
  /** What was taken away since the start because it is kept no longer. */
  readonly swept: () => Swept & { readonly blobs: number; readonly environments: number }
  /** Undefined where there is no container engine. */
  readonly keepInEngine: KeepInEngine | undefined
  /** Likewise. */
  readonly engineImages: EngineImages | undefined
  /** How long the registry keeps what nothing leads to. */
  readonly imageGraceMs: number
  /** All that keeps what may be needed no more. */
  readonly prunes: readonly Prune[]
  /** What was turned away at the door, counted. */
  readonly rejected: Readonly<Rejected>
  /** The scheme, host and port that answers to this connection name. */
  readonly baseUrl: (connection: Connection) => string
  /** The same for addresses that are handed on to others, who may not reach what the caller reaches. */
  readonly publicUrl: (connection: Connection) => string
  /** True from the moment at which the server was asked to stop. */
  readonly isDraining: () => boolean
}

/** How much a file of an account may be. */
export interface FileLimits {
  readonly bytes: number
  /** Unpacked. */
  readonly archiveBytes: number
  readonly archiveEntries: number
}

/** What an operator decides about uploads. */
export interface StorageLimits {
  /** Of one file. */
  readonly uploadBytes: number
  /** How long one is kept whose uploader did not say. Infinite for ever. */
  readonly retentionMs: number
}

/** What operations ask of the builder. */
export interface Builds {
  build(
    definition: EnvironmentDefinition,
    options: {
      readonly force?: boolean
      readonly accountId: AccountId
      /** What `${NAME}` in requirements stands for. */
      readonly secrets: SecretValues
      /** What build secrets of a Dockerfile hold, by their ids. */
      readonly buildSecrets: SecretValues
      /** By whom images are pulled, by host of their registry. */
      readonly registries: ImageCredentials['registries']
      readonly onLine: (line: string) => void
      readonly signal: AbortSignal
    },
  ): Promise<EnvironmentId>
  /** Whether it is there, ready for a runner. */
  has(id: EnvironmentId): Promise<boolean>
  /** Where it is: each build of it is elsewhere. */
  placeOf(id: EnvironmentId): Promise<BuiltEnvironment>
}

/** What operations ask of the scheduler. */
export interface Runners {
  /** The machines that are in maintenance. */
  maintained(): Maintained
  /** Takes a machine into maintenance: it gets no new runners, and those that it has are asked to end. */
  maintain(maintenance: Maintenance): Promise<void>
  /** A machine serves again. */
  endMaintenance(machineId: string): Promise<void>
  /** The live runners of all accounts that have a place, oldest first. */
  placed(): readonly Placed[]
  /** An account's live runners, and those that ended since then. */
  listing(accountId: AccountId, endedSince?: Moment): Promise<readonly RunnerView[]>
  /** Lets it finish its requests and then end; with `replaceFirst` its successor is ready before. */
  stopRunner(id: RunnerId, options: { readonly replaceFirst: boolean; readonly reason?: StopReason }): Promise<void>
  /** Ends it now. */
  killRunner(id: RunnerId, reason?: StopReason): Promise<void>
  /** What the live runners of all accounts use: CPU seconds since their start, bytes of memory now. */
  usage(): Promise<ReadonlyMap<RunnerId, RunnerUsage>>
  /** Starts a command beside a runner, in its surroundings. Throws `runner_not_found`, `exec_failed` or `too_busy`. */
  execIn(id: RunnerId, command: ExecCommand): Promise<ExecSession>
  /** Why an app has the runners that it has: what would be decided now, and the last decisions. */
  decisions(appId: AppId): Decisions
  /** The app has moved to this revision: a runner of it starts now, whether anybody calls or not. */
  warm(appId: AppId, revisionId: RevisionId): void
  /** Follows a run: what its runners say, and the one whose end is its end. To be called before its app is made. */
  followRun(appId: AppId, say: (line: LogLine) => void): Promise<Terminated>
  /** Ends what is left of a run, within a second. */
  endRun(appId: AppId): void
}

/** What operations ask of the dispatcher. */
export interface Queues {
  /** Cancels what waits for an app, of one caller or of everybody, and tells how many. What runs goes on. */
  flush(appId: AppId, callerId?: string): Promise<number>
}

/** What operations ask of the webhooks. */
export interface Deliveries {
  /** Those that ended since the start, by what followed. */
  readonly counts: Readonly<Record<'delivered' | 'again' | 'failed', number>>
}

/** What a server says of itself. */
export interface ServerFacts {
  readonly version: string
  /** The name of the backend. */
  readonly backend: string
  /** The container engine that runs them, and its version. */
  readonly engine?: string
  readonly confinement: readonly Confinement[]
  /** Why runners cannot be frozen, as half a sentence; undefined where they can. */
  readonly withoutFreezing: string | undefined
  /** After so many seconds of idleness runners are frozen where nothing else is said; 0: never. */
  readonly freezeAfterSeconds: number
  /** The data folder. */
  readonly folder: string
  /** What the operator's prices are in. */
  readonly currency: string
  /** Whether clients are to ask before they deploy. */
  readonly deployCheck: boolean
  /** The CA that signed the local certificate. */
  readonly caPem: string
}
