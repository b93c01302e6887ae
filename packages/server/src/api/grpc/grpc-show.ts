import type { MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { LogSchema } from '@carrick/protocol/gen/common_pb.js'
import type {
  AliasInfoSchema,
  ApplicationInfoSchema,
  EnvironmentInfoSchema,
  RunnerInfoSchema,
  SecretSchema,
  ServiceURLsSchema,
  UserKeyInfoSchema,
} from '@carrick/protocol/gen/controller_pb.js'
import { scopeOf } from '../../domain/grant.ts'
import { mainEnvironment } from '../../domain/names.ts'
import type { RunnerView } from '../../domain/runner-view.ts'
import type { ScaleSettings } from '../../domain/scale.ts'
import type { Environment } from '../../store/environments.ts'
import type { ListedKey } from '../../store/keys.ts'
import type { AppView } from '../apps/apps.ts'
import { authModes, keyScopes, logLevels, logSources, noScope, replacements, runnerStates } from './grpc-words.ts'
import type { Progress } from '../operation.ts'
import type { RevisionView } from '../deploys/revisions.ts'
import type { SecretView } from '../account/secrets.ts'

/** How the gRPC door shows what operations answer. */

export function aliasInfo({ app, activeRunners }: AppView): MessageInitShape<typeof AliasInfoSchema> {
  return {
    alias: app.name,
    revision: app.revisionId ?? '',
    authMode: authModes[app.authMode],
    activeRunners,
    environmentName: app.environment,
    isRolling: app.rollingRevisionId !== undefined,
    ...scaleInfo(app.scale),
  }
}

export function applicationInfo(view: RevisionView): MessageInitShape<typeof ApplicationInfoSchema> {
  return {
    applicationId: view.revision.id,
    activeRunners: view.activeRunners,
    createdAt: timestampFromMs(view.revision.createdAt),
    environmentName: view.environment,
    ...scaleInfo(view.revision.spec.scale),
  }
}

/** A limit that is not set stays unset: a 0 would be shown as one. */
function scaleInfo(scale: ScaleSettings) {
  return {
    maxConcurrency: scale.max_concurrency,
    minConcurrency: scale.min_concurrency,
    concurrencyBuffer: scale.concurrency_buffer,
    concurrencyBufferPerc: scale.concurrency_buffer_perc,
    scalingDelaySeconds: scale.scaling_delay,
    maxMultiplexing: scale.max_multiplexing,
    keepAlive: scale.keep_alive,
    machineTypes: [...scale.machine_types],
    validRegions: [...scale.valid_regions],
    requestTimeout: scale.request_timeout,
    startupTimeout: scale.startup_timeout,
    ...(scale.request_start_timeout === undefined ? {} : { requestStartTimeout: scale.request_start_timeout }),
  }
}

export function runnerInfo(runner: RunnerView): MessageInitShape<typeof RunnerInfoSchema> {
  return {
    runnerId: runner.id,
    inFlightRequests: runner.inFlight,
    ...(runner.expiresInSeconds === undefined ? {} : { expirationCountdown: Math.ceil(runner.expiresInSeconds) }),
    uptime: runner.uptimeSeconds,
    externalMetadata: {
      leases: runner.requests.map(({ id, since }) => ({ request_id: id, leased_at_epoch: since / 1_000 })),
      ...(runner.reason === undefined ? {} : { termination_reason: runner.reason }),
    },
    revision: runner.revisionId,
    alias: runner.appName,
    state: runnerStates[runner.state],
    replacement: replacements[runner.replacement],
    machineType: runner.machineType,
  }
}

export function keyInfo({ id, createdAt, alias, permissions }: ListedKey): MessageInitShape<typeof UserKeyInfoSchema> {
  const scope = scopeOf(permissions)
  return {
    keyId: id,
    createdAt: timestampFromMs(createdAt),
    // oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- a number outside the enum is meant
    scope: scope === undefined ? noScope : keyScopes[scope],
    alias,
  }
}

export function environmentInfo({
  name,
  description,
  createdAt,
}: Environment): MessageInitShape<typeof EnvironmentInfoSchema> {
  return {
    name,
    ...(description === undefined ? {} : { description }),
    isDefault: name === mainEnvironment,
    createdAt: timestampFromMs(createdAt),
  }
}

export function secretInfo(secret: SecretView): MessageInitShape<typeof SecretSchema> {
  const { name, environment, createdAt, defaultExposed } = secret
  return { name, environmentName: environment, createdTime: timestampFromMs(createdAt), defaultExposed }
}

export function logInfo({ at, source, level, message }: Progress): MessageInitShape<typeof LogSchema> {
  return {
    message: message.toWellFormed(),
    source: logSources[source],
    level: logLevels[level],
    timestamp: timestampFromMs(at),
  }
}

/** Addresses of an app. Clients append the paths of its endpoints as text. */
export function serviceUrls(
  base: string,
  { owner, name, calledAs = name }: { readonly owner: string; readonly name: string; readonly calledAs?: string },
): MessageInitShape<typeof ServiceURLsSchema> {
  return {
    playground: `${base}/dashboard/apps/${owner}/${name}`,
    run: `${base}/${owner}/${calledAs}`,
    queue: `${base}/queue/${owner}/${calledAs}`,
    ws: `${base.replace(/^http/, 'ws')}/ws/${owner}/${calledAs}`,
    log: `${base}/dashboard/apps/${owner}/${name}#logs`,
  }
}
