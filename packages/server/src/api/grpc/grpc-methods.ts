import type { ServiceImpl } from '@connectrpc/connect'
import { HostedRunStatus_State } from '@carrick/protocol/gen/controller_pb.js'
import type { IsolateController } from '@carrick/protocol/gen/controller_pb.js'
import { deleteApp, listApps, updateApp } from '../apps/apps.ts'
import { deleteRevision } from '../deploys/delete-revision.ts'
import { deploy } from '../deploys/deploy.ts'
import type { Deps } from '../deps.ts'
import { createEnvironment, deleteEnvironment, listEnvironments } from '../account/environment-list.ts'
import { buildEnvironment } from '../deploys/environments.ts'
import { buildInput, deployInput, keyInput, momentOf, scaleChanges } from './grpc-read.ts'
import { runMethod } from './grpc-run.ts'
import { narrated, unary, unservedStream } from './grpc-serve.ts'
import type { Method } from './grpc-serve.ts'
import {
  aliasInfo,
  applicationInfo,
  environmentInfo,
  keyInfo,
  logInfo,
  runnerInfo,
  secretInfo,
  serviceUrls,
} from './grpc-show.ts'
import { shellMethod } from './grpc-shell.ts'
import { authModes, strategies, wordOf } from './grpc-words.ts'
import { createKey, listKeys, revokeKey } from '../account/keys.ts'
import { listRevisions, setRevision } from '../deploys/revisions.ts'
import { killRunner, listAppRunners, listRunners, renewRunners, stopRunner } from '../runners/runners.ts'
import { listSecrets, setSecret } from '../account/secrets.ts'

type Service = ServiceImpl<typeof IsolateController>

/** Every method that there is, with the operation that it calls. A method that is missing here does not compile. */
export const methods: { readonly [Name in keyof Service]: Method<Service[Name]> } = {
  buildEnvironment: narrated(buildEnvironment, buildInput, {
    lines: (lines) => ({ logs: lines.map(logInfo) }),
    output: (envId) => ({ envId, status: { state: HostedRunStatus_State.SUCCESS } }),
  }),

  registerApplication: narrated(deploy, deployInput, {
    lines: (lines) => ({ logs: lines.map(logInfo) }),
    // The client reads both from one message, then goes away.
    output: (deployed, base) => ({
      result: { applicationId: deployed.revisionId },
      serviceUrls: serviceUrls(base, deployed),
      envId: deployed.environmentId,
    }),
  }),

  listAliases: unary(
    listApps,
    ({ environmentName }) => ({ environment: environmentName }),
    (apps) => ({ aliases: apps.map(aliasInfo) }),
  ),

  setAlias: unary(
    setRevision,
    ({ alias, revision, authMode, environmentName, deploymentStrategy }) => ({
      name: alias,
      environment: environmentName,
      revisionId: revision,
      authMode: wordOf(authModes, authMode),
      strategy: wordOf(strategies, deploymentStrategy),
    }),
    (app) => ({ aliasInfo: aliasInfo(app) }),
  ),

  updateApplication: unary(
    updateApp,
    (request) => ({
      name: request.applicationName,
      environment: request.environmentName,
      changes: scaleChanges(request),
    }),
    (app) => ({ aliasInfo: aliasInfo(app) }),
  ),

  deleteAlias: unary(
    deleteApp,
    ({ alias, environmentName }) => ({ name: alias, environment: environmentName }),
    ({ revisionId }) => ({ revision: revisionId ?? '' }),
  ),

  listApplications: unary(
    listRevisions,
    ({ applicationName, environmentName }) => ({ name: applicationName, environment: environmentName }),
    (revisions) => ({ applications: revisions.map(applicationInfo) }),
  ),

  deleteApplication: unary(
    deleteRevision,
    ({ applicationId }) => ({ revisionId: applicationId }),
    () => ({}),
  ),

  listRunners: unary(
    listRunners,
    ({ listPending, startTime }) => ({ pending: listPending, endedSince: momentOf(startTime) }),
    (runners) => ({ runners: runners.map(runnerInfo) }),
  ),

  listAliasRunners: unary(
    listAppRunners,
    ({ alias, environmentName, listPending, startTime }) => ({
      name: alias,
      environment: environmentName,
      pending: listPending,
      endedSince: momentOf(startTime),
    }),
    (runners) => ({ runners: runners.map(runnerInfo) }),
  ),

  stopRunner: unary(
    stopRunner,
    ({ runnerId, replaceFirst }) => ({ id: runnerId, replaceFirst }),
    () => ({}),
  ),

  killRunner: unary(
    killRunner,
    ({ runnerId }) => ({ id: runnerId }),
    () => ({}),
  ),

  createUserKey: unary(createKey, keyInput, ({ keyId, secret }) => ({ keyId, keySecret: secret })),

  listUserKeys: unary(
    listKeys,
    () => ({}),
    (keys) => ({ userKeys: keys.map(keyInfo) }),
  ),

  revokeUserKey: unary(
    revokeKey,
    ({ keyId }) => ({ id: keyId }),
    () => ({}),
  ),

  rolloutApplication: unary(
    renewRunners,
    ({ applicationName, environmentName, force }) => ({ name: applicationName, environment: environmentName, force }),
    () => ({}),
  ),

  setSecret: unary(
    setSecret,
    ({ name, value, environmentName, defaultExposed }) => ({
      name,
      value,
      environment: environmentName,
      defaultExposed,
    }),
    () => ({}),
  ),

  listSecrets: unary(
    listSecrets,
    ({ environmentName }) => ({ environment: environmentName }),
    (secrets) => ({ secrets: secrets.map(secretInfo) }),
  ),

  listEnvironments: unary(
    listEnvironments,
    () => ({}),
    (environments) => ({ environments: environments.map(environmentInfo) }),
  ),

  createEnvironment: unary(
    createEnvironment,
    ({ name, description }) => ({ name, description }),
    (environment) => ({ environment: environmentInfo(environment) }),
  ),

  deleteEnvironment: unary(
    deleteEnvironment,
    ({ name }) => ({ name }),
    () => ({}),
  ),

  run: runMethod,
  interactiveRun: unservedStream('InteractiveRun'),
  map: unservedStream('Map'),
  shellRunner: shellMethod,
}

/** The service, ready to be routed to. */
export function implementation(deps: Deps): Partial<Service> {
  return Object.fromEntries(Object.entries(methods).map(([name, { serve }]) => [name, serve(deps)]))
}
