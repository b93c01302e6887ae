import type { JsonObject } from '@bufbuild/protobuf'
import { timestampMs } from '@bufbuild/protobuf/wkt'
import type { Timestamp } from '@bufbuild/protobuf/wkt'
import type {
  ApplicationHealthCheckConfig,
  BuildEnvironmentRequest,
  CreateUserKeyRequest,
  HostedRun,
  MachineRequirements,
  RegisterApplicationRequest,
  UpdateApplicationRequest,
} from '@carrick/protocol/gen/controller_pb.js'
import type { EnvironmentDefinition } from '@carrick/protocol/gen/server_pb.js'
import { authModes, healthMethods, keyScopes, retryConditions, strategies, wordOf } from './grpc-words.ts'

/** How the gRPC door reads requests. Nothing is checked here: operations do that. */

/** Files are what an image is made of. The name says only of which app a deploy may follow: `fal run` sends a function's. */
export function buildInput(request: BuildEnvironmentRequest) {
  const { machineRequirements } = request
  return {
    name: request.applicationName,
    environment: request.environmentName,
    environments: request.environments.map(sentEnvironment),
    secrets: request.secrets?.names,
    files: request.files.map(({ hash, relativePath }) => ({ hash, relativePath })),
    ...(machineRequirements && { asked: askedScale(machineRequirements, undefined) }),
  }
}

export function deployInput(request: RegisterApplicationRequest) {
  const { callable, machineRequirements } = request
  return {
    name: request.applicationName ?? '',
    environment: request.environmentName,
    environments: request.environments.map(sentEnvironment),
    ...(callable.case === 'function' ? { callable: callable.value } : {}),
    ...(callable.case === 'entrypoint' ? { entrypoint: callable.value } : {}),
    exposedPort: machineRequirements?.exposedPort,
    asked: askedScale(machineRequirements, request.maxConcurrency),
    resetScale: request.scale,
    authMode: wordOf(authModes, request.authMode),
    strategy: wordOf(strategies, request.deploymentStrategy),
    attach: request.attachToDeployment,
    builtBefore: request.buildEnvironment === false,
    metadata: request.metadata,
    sourceCode: request.sourceCode,
    privateLogs: request.privateLogs,
    healthCheck: declaredCheck(request),
    skipRetryConditions: request.skipRetryConditions
      .map((condition) => wordOf(retryConditions, condition))
      .filter((word) => word !== undefined),
    retryConfig: request.retryConfig,
    terminationGracePeriodSeconds: request.terminationGracePeriodSeconds,
    files: request.files.map(({ hash, relativePath }) => ({ hash, relativePath })),
    secrets: request.secrets?.names,
    volumes: request.volumes.length,
    dataMounts: request.dataMounts,
    setupFunction: request.setupFunc !== undefined,
  }
}

export function runInput(request: HostedRun) {
  const { callable, setupFunc, machineRequirements } = request
  return {
    name: request.applicationName,
    environment: request.environmentName,
    environments: request.environments.map(sentEnvironment),
    ...(callable.case === 'function' ? { callable: callable.value } : {}),
    ...(callable.case === 'entrypoint' ? { entrypoint: callable.value } : {}),
    ...(setupFunc === undefined ? {} : { setup: setupFunc }),
    exposedPort: machineRequirements?.exposedPort,
    serves: machineRequirements?.exposedPort !== undefined && !asksForMetadata(callable),
    asked: askedScale(machineRequirements, undefined),
    authMode: wordOf(authModes, request.authMode),
    healthCheck: request.healthCheckConfig && healthCheck(request.healthCheckConfig),
    files: request.files.map(({ hash, relativePath }) => ({ hash, relativePath })),
    secrets: request.secrets?.names,
    volumes: request.volumes.length,
    dataMounts: request.dataMounts,
  }
}

/** An entry point is asked about itself with the port of its app, and returns. */
function asksForMetadata(callable: HostedRun['callable']): boolean {
  return callable.case === 'entrypoint' && callable.value.endsWith('.build_metadata')
}

export function scaleChanges(request: UpdateApplicationRequest) {
  return {
    keep_alive: request.keepAlive,
    min_concurrency: request.minConcurrency,
    max_concurrency: request.maxConcurrency,
    concurrency_buffer: request.concurrencyBuffer,
    concurrency_buffer_perc: request.concurrencyBufferPerc,
    scaling_delay: request.scalingDelaySeconds,
    request_timeout: request.requestTimeout,
    request_start_timeout: request.requestStartTimeout,
    max_multiplexing: request.maxMultiplexing,
    startup_timeout: request.startupTimeout,
    valid_regions: request.validRegions,
    machine_types: request.machineTypes,
  }
}

/** Absent and empty differ here: a request that names nothing at all means ADMIN. */
export function keyInput({ alias, policyPreset, policy, scope }: CreateUserKeyRequest) {
  return {
    alias,
    preset: policyPreset,
    permissions: policy?.permissions,
    scope: scope === undefined ? undefined : (wordOf(keyScopes, scope) ?? String(scope)),
  }
}

export function momentOf(timestamp: Timestamp | undefined): number | undefined {
  return timestamp && timestampMs(timestamp)
}

function askedScale(machine: MachineRequirements | undefined, maxConcurrency: number | undefined) {
  if (machine === undefined) return { max_concurrency: maxConcurrency }
  const oneType = machine.machineType === undefined ? [] : [machine.machineType]
  return {
    keep_alive: machine.keepAlive,
    min_concurrency: machine.minConcurrency,
    max_concurrency: machine.maxConcurrency ?? maxConcurrency,
    concurrency_buffer: machine.concurrencyBuffer,
    concurrency_buffer_perc: machine.concurrencyBufferPerc,
    scaling_delay: machine.scalingDelaySeconds,
    request_timeout: machine.requestTimeout,
    request_start_timeout: machine.requestStartTimeout,
    max_multiplexing: machine.maxMultiplexing,
    startup_timeout: machine.startupTimeout,
    num_gpus: machine.numGpus,
    valid_regions: machine.validRegions,
    machine_types: machine.machineTypes.length > 0 ? machine.machineTypes : oneType,
  }
}

function sentEnvironment({ kind, configuration, force }: EnvironmentDefinition) {
  return { kind, configuration: configuration ?? ({} satisfies JsonObject), force }
}

/** The older form is a path alone. */
function declaredCheck({ healthCheckConfig, healthCheckPath }: RegisterApplicationRequest) {
  if (healthCheckConfig) return healthCheck(healthCheckConfig)
  return healthCheckPath ? { path: healthCheckPath } : undefined
}

function healthCheck(config: ApplicationHealthCheckConfig) {
  return {
    path: config.path,
    method: wordOf(healthMethods, config.method),
    startPeriodSeconds: config.startPeriodSeconds,
    timeoutSeconds: config.timeoutSeconds,
    failureThreshold: config.failureThreshold,
    callRegularly: config.callRegularly,
    allowOnBusy: config.allowOnBusy,
  }
}
