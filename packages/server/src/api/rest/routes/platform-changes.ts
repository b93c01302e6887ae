import {
  EnvironmentRequest,
  NewEnvironment,
  PlatformApp,
  FreezingRequest,
  PlatformEnvironments,
  PlatformFreezing,
  PlatformQueueSettings,
  PlatformSecrets,
  QueueRequest,
  RevisionRequest,
  RolloutRequest,
  ScaleRequest,
  SecretRequest,
} from '@carrick/protocol/platform'
import { z } from 'zod'
import { mainEnvironment } from '../../../domain/names.ts'
import type { Environment } from '../../../store/environments.ts'
import { deleteApp, updateApp } from '../../apps/apps.ts'
import { changeFreezing, freezing, type FreezingState } from '../../apps/freezing.ts'
import { changeQueue, queueSettings, type QueueState } from '../../apps/queue-settings.ts'
import { createEnvironment, deleteEnvironment, listEnvironments } from '../../account/environment-list.ts'
import { setRevision } from '../../deploys/revisions.ts'
import { renewRunners } from '../../runners/runners.ts'
import { listSecrets, setSecret } from '../../account/secrets.ts'
import { described } from './described.ts'
import { ownAppAt } from './own-app.ts'
import { shownApp } from './platform-apps.ts'
import { iso, named } from './route.ts'

const app = '/v1/serverless/apps/:owner/:name'
const inEnvironment = z.object({ environment: z.string().optional() })

/** What the field offers over gRPC only: the same operations, for scripts. */
export const platformChangeRoutes = [
  described('POST', `${app}/scale`, updateApp, {
    summary: "Changes an app's live scale settings; what is absent stays",
    body: ScaleRequest,
    answer: PlatformApp,
    read: ({ body, ...sent }) => ({ ...ownAppAt(sent), changes: body }),
    show: (changed) => shownApp(changed.app),
  }),

  described('GET', `${app}/queue/settings`, queueSettings, {
    summary: "What is set of an app's queue, and how many requests wait in it",
    answer: PlatformQueueSettings,
    read: ({ params }) => named(params),
    show: shownQueue,
  }),

  described('PATCH', `${app}/queue/settings`, changeQueue, {
    summary: "Changes what is set of an app's queue, at once; what is absent stays, null is the default",
    body: QueueRequest,
    answer: PlatformQueueSettings,
    read: ({ params, body }) => ({ ...named(params), changes: body }),
    show: shownQueue,
  }),

  described('GET', `${app}/freezing`, freezing, {
    summary: "When an app's idle runners are frozen",
    answer: PlatformFreezing,
    read: ({ params }) => named(params),
    show: shownFreezing,
  }),

  described('PATCH', `${app}/freezing`, changeFreezing, {
    summary:
      "Changes when an app's idle runners are frozen, at once: after so many seconds, 0 for never, null as the server is set",
    body: FreezingRequest,
    answer: PlatformFreezing,
    read: ({ params, body }) => ({ ...named(params), freezeAfter: body.freeze_after }),
    show: shownFreezing,
  }),

  described('POST', `${app}/rollout`, renewRunners, {
    summary: "Puts new runners in the place of an app's own; by force all at once",
    body: RolloutRequest,
    read: ({ body: { force }, ...sent }) => ({ ...ownAppAt(sent), force }),
  }),

  described('POST', `${app}/revision`, setRevision, {
    summary: 'Makes another revision the active one; a rolling change is answered once it serves',
    body: RevisionRequest,
    answer: PlatformApp,
    read: ({ body: { revision_id, auth_mode, strategy }, ...sent }) => ({
      ...ownAppAt(sent),
      revisionId: revision_id,
      authMode: auth_mode,
      strategy,
    }),
    show: (changed) => shownApp(changed.app),
  }),

  described('DELETE', app, deleteApp, {
    summary: 'Deletes an app for good',
    read: (sent) => ownAppAt(sent),
  }),

  described('GET', '/v1/serverless/environments', listEnvironments, {
    summary: "The account's environments",
    answer: PlatformEnvironments,
    read: () => ({}),
    show: (environments) => ({ environments: environments.map(shownEnvironment) }),
  }),

  described('POST', '/v1/serverless/environments', createEnvironment, {
    summary: 'Makes an environment',
    body: EnvironmentRequest,
    answer: NewEnvironment,
    status: 201,
    read: ({ body }) => body,
    show: shownEnvironment,
  }),

  described('DELETE', '/v1/serverless/environments/:name', deleteEnvironment, {
    summary: 'Deletes an environment with everything in it',
    read: ({ params }) => ({ name: params['name'] ?? '' }),
  }),

  described('GET', '/v1/serverless/secrets', listSecrets, {
    summary: "The names of an environment's secrets",
    query: inEnvironment,
    answer: PlatformSecrets,
    read: ({ query }) => query,
    show: (secrets) => ({
      secrets: secrets.map(({ name, environment, createdAt, defaultExposed }) => ({
        name,
        environment,
        created_at: iso(createdAt),
        default_exposed: defaultExposed,
      })),
    }),
  }),

  described('PUT', '/v1/serverless/secrets/:name', setSecret, {
    summary: 'Sets a secret; runners that start from now on see it',
    body: SecretRequest,
    read: ({ params, body: { value, environment, default_exposed } }) => ({
      name: params['name'] ?? '',
      value,
      environment,
      defaultExposed: default_exposed,
    }),
  }),

  described('DELETE', '/v1/serverless/secrets/:name', setSecret, {
    summary: 'Unsets a secret',
    query: inEnvironment,
    read: ({ params, query }) => ({ name: params['name'] ?? '', ...query }),
  }),
]

function shownEnvironment({ name, description, createdAt }: Environment) {
  return {
    name,
    description: description ?? null,
    created_at: iso(createdAt),
    is_default: name === mainEnvironment,
  }
}

function shownFreezing({ said, inForce, impossible }: FreezingState): PlatformFreezing {
  return { freeze_after: said ?? null, in_force: inForce ?? null, impossible: impossible ?? null }
}

function shownQueue({ settings, size }: QueueState) {
  const { paused, fair_share, weights, retention_days = null } = settings
  return { paused, fair_share, weights: { ...weights }, retention_days, queue_size: size }
}
