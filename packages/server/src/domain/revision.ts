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
}

/** All that a deploy fixed. Stored as JSON, never changed afterwards. */
export interface RevisionSpec {
  readonly environment: EnvironmentDefinition
  readonly environmentId: EnvironmentId
  readonly callable: PickledCallable | EntryPoint
  /** Present on what `Run` made, which ends with its caller's connection: an app that serves, or a function that returns. */
  readonly run?: 'app' | 'function'
  /** Called first, in the same process; the callable gets what it returned. */
  readonly setup?: PickledCallable
  /** As written in code, defaults filled in. What is live now stands on the app. */
  readonly scale: ScaleSettings
  readonly terminationGracePeriodSeconds: number
  readonly skipRetryConditions: readonly RetryCondition[]
  readonly retryBudgets: RetryBudgets
  readonly healthCheck?: HealthCheck
  readonly privateLogs: boolean
  /** Names of the secrets that its runners see. Absent: those exposed by default; empty: none. */
  readonly secrets?: readonly string[]
  /** `openapi`, `message`, `annotations`, and what else the deploy sent. */
  readonly metadata: Readonly<Record<string, unknown>>
  readonly sourceCode?: string
}

export interface Revision {
  readonly id: RevisionId
  readonly appId: AppId
  readonly accountId: AccountId
  readonly createdAt: Moment
  readonly spec: RevisionSpec
}
