import type { Moment } from '../kit/clock.ts'
import type { AccountId, AppId, BlobKey, EnvironmentId, RevisionId } from './ids.ts'
import type { ScaleSettings } from './scale.ts'

interface Requirements {
  /** Minor version, such as `3.11`. */
  readonly pythonVersion: string
  /** Requirements installed one layer after the other. `${NAME}` in them stands for a secret. */
  readonly layers: readonly (readonly string[])[]
  readonly compileBytecode: boolean
}

/** Requirements on top of an interpreter of the machine (control-protocol §4.4, kind `virtualenv`). */
export interface VirtualenvDefinition extends Requirements {
  readonly kind: 'virtualenv'
}

/** Requirements on top of conda packages, of which the interpreter is one (control-protocol §4.4, kind `conda`). */
export interface CondaDefinition extends Requirements {
  readonly kind: 'conda'
  /** Names or addresses, the first one first. */
  readonly channels: readonly string[]
  readonly packages: readonly string[]
}

/** A Python environment, as deploys describe it. Its hash is its id. */
export type EnvironmentDefinition = VirtualenvDefinition | CondaDefinition

/** What the runner loads: pickled bytes, and the module whose `loads` reads them. Never read by the control plane. */
export interface PickledCallable {
  readonly method: string
  readonly blob: BlobKey
}

/** What the runner imports: `module:attribute`. Its code is one of the environment's requirements. */
export interface EntryPoint {
  readonly entrypoint: string
}

export type RetryCondition = 'timeout' | 'server_error' | 'connection_error'

/** Extra attempts per condition; a condition that is absent has the platform's default. */
export type RetryBudgets = { readonly [condition in RetryCondition]?: number }

export interface HealthCheck {
  readonly path: string
  readonly method: 'GET' | 'POST'
  readonly startPeriodSeconds: number
  readonly timeoutSeconds: number
  readonly failureThreshold: number
  readonly callRegularly: boolean
  /** `false`: a runner that holds a request is not asked. */
  readonly allowOnBusy?: boolean
}

/** A file that runners find below `/app`. */
export interface AppFile {
  /** Relative to it. */
  readonly path: string
  readonly mode: number
  readonly blob: BlobKey
}

/** A workflow as its owner made it. */
export interface StoredWorkflow {
  readonly title: string
  /** As it was sent, for those who read it back. */
  readonly contents: unknown
}

/** All that a deploy fixed. Stored as JSON, never changed afterwards. */
export interface RevisionSpec {
  readonly environment: EnvironmentDefinition
  readonly environmentId: EnvironmentId
  readonly callable: PickledCallable | EntryPoint
  /** Present on what `Run` made: an app that ends with its caller's connection, or the host whose runners call functions. */
  readonly run?: 'app' | 'host'
  /** Present on a workflow, which the platform runs itself: it has no runner, no environment and no code. */
  readonly workflow?: StoredWorkflow
  /** As written in code, defaults filled in. What is live now stands on the app. */
  readonly scale: ScaleSettings
  readonly terminationGracePeriodSeconds: number
  readonly skipRetryConditions: readonly RetryCondition[]
  readonly retryBudgets: RetryBudgets
  readonly healthCheck?: HealthCheck
  readonly privateLogs: boolean
  /** Names of the secrets that its runners see. Absent: those exposed by default; empty: none. */
  readonly secrets?: readonly string[]
  /** What its runners find below `/app`. Absent: they have no `/app` of their own. */
  readonly files?: readonly AppFile[]
  /** What of `/data` its runners see, as paths below it. Absent: all of it. */
  readonly dataMounts?: readonly string[]
  /** `openapi`, `message`, `annotations`, and what else the deploy sent. */
  readonly metadata: Readonly<Record<string, unknown>>
  readonly sourceCode?: string
}

/** Whether it is of an app as people know it: neither of a host of functions nor of a workflow. */
export function isApp({ run, workflow }: Pick<RevisionSpec, 'run' | 'workflow'>): boolean {
  return run !== 'host' && workflow === undefined
}

export interface Revision {
  readonly id: RevisionId
  readonly appId: AppId
  readonly accountId: AccountId
  readonly createdAt: Moment
  readonly spec: RevisionSpec
}
