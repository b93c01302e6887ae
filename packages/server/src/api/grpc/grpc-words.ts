import { LogLevel, LogSource } from '@carrick/protocol/gen/common_pb.js'
import {
  ApplicationAuthMode,
  ApplicationHealthCheckConfig_Method,
  CreateUserKeyRequest_Scope,
  DeploymentStrategy,
  RetryCondition,
  RunnerInfo_ReplaceState,
  RunnerInfo_State,
} from '@carrick/protocol/gen/controller_pb.js'
import type { AuthMode, DeploymentStrategy as Strategy } from '../../domain/app.ts'
import type { Replacement, RunnerViewState } from '../../domain/runner-view.ts'
import type { LogLevel as Level, LogSource as Source } from '../../logs/log-store.ts'

/** Our words as the numbers of the wire, and back. The compiler notices when a word is missing. */

export const authModes = {
  private: ApplicationAuthMode.PRIVATE,
  public: ApplicationAuthMode.PUBLIC,
  shared: ApplicationAuthMode.SHARED,
} as const satisfies Record<AuthMode, number>

export const strategies = {
  recreate: DeploymentStrategy.RECREATE,
  rolling: DeploymentStrategy.ROLLING,
} as const satisfies Record<Strategy, number>

export const retryConditions = {
  timeout: RetryCondition.TIMEOUT,
  client_error: RetryCondition.CLIENT_ERROR,
  server_error: RetryCondition.SERVER_ERROR,
  connection_error: RetryCondition.CONNECTION_ERROR,
} as const

export const healthMethods = {
  GET: ApplicationHealthCheckConfig_Method.GET,
  POST: ApplicationHealthCheckConfig_Method.POST,
} as const

/** The scope of a key, as old clients know two of them. */
export const keyScopes = {
  ADMIN: CreateUserKeyRequest_Scope.ADMIN,
  API: CreateUserKeyRequest_Scope.API,
} as const

/** The scope of every other key: clients since 1.83 show it as none. A 0 would be shown as ADMIN. */
export const noScope: number = 2

export const logSources = {
  builder: LogSource.BUILDER,
  bridge: LogSource.BRIDGE,
  user: LogSource.USER,
} as const satisfies Record<Source, number>

export const logLevels = {
  trace: LogLevel.TRACE,
  debug: LogLevel.DEBUG,
  info: LogLevel.INFO,
  warning: LogLevel.WARNING,
  error: LogLevel.ERROR,
  stdout: LogLevel.STDOUT,
  stderr: LogLevel.STDERR,
} as const satisfies Record<Level, number>

export const runnerStates = {
  pending: RunnerInfo_State.PENDING,
  docker_pull: RunnerInfo_State.DOCKER_PULL,
  setup: RunnerInfo_State.SETUP,
  idle: RunnerInfo_State.IDLE,
  running: RunnerInfo_State.RUNNING,
  draining: RunnerInfo_State.DRAINING,
  terminating: RunnerInfo_State.TERMINATING,
  terminated: RunnerInfo_State.TERMINATED,
  crash_backoff: RunnerInfo_State.FAILURE_DELAY,
} as const satisfies Record<RunnerViewState, number>

export const replacements = {
  none: RunnerInfo_ReplaceState.NO_REPLACE,
  will: RunnerInfo_ReplaceState.WILL_REPLACE,
  did: RunnerInfo_ReplaceState.DID_REPLACE,
} as const satisfies Record<Replacement, number>

/** The word of a number. One that we have no word for counts as absent, as fields that we do not know do. */
export function wordOf<Word extends string>(
  table: Readonly<Record<Word, number>>,
  sent: number | undefined,
): Word | undefined {
  return words(table).find((word) => table[word] === sent)
}

const words = <Word extends string>(table: Readonly<Record<Word, number>>): Word[] => Object.keys(table) as Word[]
