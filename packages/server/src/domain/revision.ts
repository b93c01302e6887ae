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

/** What an image is made of, before requirements. */
export type ImageSource =
  /** As its registry names it: `python:3.11-slim`, `ghcr.io/owner/name@sha256:…`. */
  | { readonly from: 'reference'; readonly reference: string }
  | {
      readonly from: 'dockerfile'
      /** Its text. */
      readonly dockerfile: string
      readonly buildArgs: Readonly<Record<string, string>>
      /** What COPY and ADD find: paths relative to the build context. */
      readonly context: readonly AppFile[]
      /** Names of the secrets that RUN instructions may mount. What they hold comes with each build and is stored nowhere. */
      readonly buildSecrets: readonly string[]
    }
  /** The platform's own, which has an interpreter and nothing else. */
  | { readonly from: 'base' }

/**
 * An image, and requirements on top of it (control-protocol §4.4, kind `container`). An account's own: equal definitions
 * of two accounts are two environments, for a registry may give one of them what it refuses to the other.
 */
export interface ContainerDefinition extends Omit<Requirements, 'pythonVersion'> {
  readonly kind: 'container'
  readonly accountId: AccountId
  readonly source: ImageSource
  /** The minor version that the image must hold. Absent: whatever it holds, or none. */
  readonly pythonVersion?: string
  /** Instead of the image's own ENTRYPOINT; none is an empty list. */
  readonly entrypoint?: readonly string[]
  /** Instead of the image's own CMD. */
  readonly cmd?: readonly string[]
}

/** By whom the images of an environment are pulled, and what its build may mount; a value `$NAME` stands for a secret. */
export interface ImageCredentials {
  /** By host of the registry. */
  readonly registries: Readonly<Record<string, { readonly username: string; readonly password: string }>>
  /** By the ids that a Dockerfile has for them. */
  readonly buildSecrets: Readonly<Record<string, string>>
}

/** What can be made in a folder of this machine, and in an image as well. */
export type FolderDefinition = VirtualenvDefinition | CondaDefinition

/** An environment, as deploys describe it. Its hash is its id. */
export type EnvironmentDefinition = FolderDefinition | ContainerDefinition

/** Where a finished environment is: in a folder of this machine, or in an image. */
export type BuiltEnvironment =
  /** Its interpreter is `bin/python` below. */
  | { readonly kind: 'folder'; readonly path: string }
  | {
      readonly kind: 'image'
      /** As the engine pulls and finds it: `127.0.0.1:8700/owner/environment@sha256:…`. */
      readonly reference: string
      /** A path inside it. Absent: it has none that requirements were installed for. */
      readonly python?: string
    }

/** What the runner loads: pickled bytes, and the module whose `loads` reads them. Never read by the control plane. */
export interface PickledCallable {
  readonly method: string
  readonly blob: BlobKey
}

/** What the runner imports: `module:attribute`. Its code is one of the environment's requirements. */
export interface EntryPoint {
  readonly entrypoint: string
}

/** Nothing: the environment is an image that serves by itself, with its own ENTRYPOINT and CMD or the definition's. */
export interface OwnServer {
  readonly serves: 'image'
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
  /** For another build of it: those that name secrets. What a deploy sent in clear is kept nowhere. */
  readonly imageCredentials?: ImageCredentials
  readonly callable: PickledCallable | EntryPoint | OwnServer
  /** The port that its server binds. Absent: the one that it is told, 8080 where the SDK has its own way. */
  readonly exposedPort?: number
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
