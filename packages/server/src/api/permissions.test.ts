import { Readable } from 'node:stream'
import type { DescMethod, DescMethodStreaming, DescMethodUnary } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import type { Transport } from '@connectrpc/connect'
import { DeploymentStrategy, IsolateController } from '@carrick/protocol/gen/controller_pb.js'
import { beforeAll, describe, expect, test } from 'vitest'
import { formatKey } from '../access/credentials.ts'
import { cancelledOutcome } from '../domain/outcome.ts'
import { presets } from '../domain/permissions.ts'
import type { Access, Granted, Permission } from '../domain/permissions.ts'
import { keepImage } from '../store/environment-images.ts'
import { addObject, objectById, partsOf, putWhole } from '../store/objects.ts'
import { addComfyWorkflow, comfyWorkflow } from '../store/comfy.ts'
import { retriesOf } from '../store/retries.ts'
import { acceptRequest, completeWaiting } from '../store/requests.ts'
import { addRunner } from '../store/runners.ts'
import { putValue, valueAt } from '../store/values.ts'
import { webhooksOfAccount } from '../store/webhooks.ts'
import { openTestControl, testRunner } from '../testing/control.ts'
import type { TestControl } from '../testing/control.ts'
import { endTestRequest } from '../testing/requests.ts'
import { methods } from './grpc/grpc-methods.ts'
import { routes } from './rest/rest-routes.ts'

/** Every way into the control plane, and the permission that it takes. What is missing here fails. */
const doors: Readonly<Record<string, Access>> = {
  BuildEnvironment: 'apps:write',
  Run: 'apps:write',
  RegisterApplication: 'apps:write',
  UpdateApplication: 'apps:write',
  SetAlias: 'apps:write',
  DeleteAlias: 'apps:write',
  DeleteApplication: 'apps:write',
  RolloutApplication: 'apps:write',
  ListAliases: 'apps:read',
  ListApplications: 'apps:read',
  ListRunners: 'runners:read',
  ListAliasRunners: 'runners:read',
  StopRunner: 'runners:write',
  KillRunner: 'runners:write',
  ShellRunner: 'runners:exec',
  CreateUserKey: 'keys:write',
  ListUserKeys: 'keys:read',
  RevokeUserKey: 'keys:write',
  CreateEnvironment: 'environments:write',
  DeleteEnvironment: 'environments:write',
  ListEnvironments: 'environments:read',
  SetSecret: 'secrets:write',
  ListSecrets: 'secrets:read',
  'GET /users/current': 'account:read',
  'GET /users/teams': 'account:read',
  'GET /runners/:id': 'logs:read',
  'POST /logs/history': 'logs:read',
  'GET /logs/': 'logs:read',
  'POST /logs/stream': 'logs:read',
  'GET /applications/metrics': 'metrics:read',
  'GET /applications/:owner/:name/queue': 'apps:read',
  'DELETE /applications/:owner/:name/queue': 'apps:write',
  'GET /applications/:owner/:name/metadata': 'apps:read',
  'GET /v1/status': 'account:read',
  'GET /v1/events': 'events:read',
  'GET /v1/environments/:id/sbom': 'apps:read',
  'GET /v1/runners': 'runners:read',
  'GET /dashboard/apps/:owner/:name/*': 'anyone',
  'GET /dashboard/assets/:file': 'anyone',
  'GET /dashboard/data/:owner/:name': 'anyone',
  'GET /dashboard/data/:owner/:name/logs': 'logs:read',
  'GET /workflows/': 'workflows:read',
  'POST /workflows/': 'workflows:write',
  'GET /workflows/:owner/:name': 'workflows:read',
  'PATCH /workflows/:owner/:name': 'workflows:write',
  'DELETE /workflows/:owner/:name': 'workflows:write',
  'GET /comfy/': 'workflows:read',
  'POST /comfy/': 'workflows:write',
  'GET /comfy/:owner/:name': 'workflows:read',
  'PATCH /comfy/:owner/:name': 'workflows:write',
  'DELETE /comfy/:owner/:name': 'workflows:write',
  'GET /.well-known/carrick/ca.pem': 'anyone',
  'GET /.well-known/jwks.json': 'anyone',
  'GET /v1/accounts': 'accounts:read',
  'POST /v1/system/prune': 'accounts:write',
  'POST /v1/images': 'accounts:write',
  'GET /v1/images': 'accounts:read',
  'DELETE /v1/images/:name{.+}': 'accounts:write',
  'PATCH /v1/accounts/:name': 'accounts:write',
  'GET /v1/serverless/files/usage': 'files:read',
  'POST /v1/accounts': 'accounts:write',
  'GET /files/list/*': 'files:read',
  'GET /files/file/*': 'files:read',
  'POST /files/dir/check_hash/*': 'files:read',
  'POST /files/file/multipart/*': 'files:write',
  'PUT /files/file/multipart/*': 'files:write',
  'POST /files/file/local/*': 'files:write',
  'POST /files/file/url/*': 'files:write',
  'DELETE /files/file/*': 'files:write',
  'POST /files/rename/*': 'files:write',
  'GET /v1/serverless/files/list/*': 'files:read',
  'GET /v1/serverless/files/file/*': 'files:read',
  'POST /v1/serverless/files/file/local/*': 'files:write',
  'POST /v1/serverless/files/file/url/*': 'files:write',
  'POST /files/missing_hashes': 'apps:write',
  'POST /files/app/multipart/:hash/initiate': 'apps:write',
  'PUT /files/app/multipart/:hash/:upload/:part': 'apps:write',
  'POST /files/app/multipart/:hash/:upload/complete': 'apps:write',
  'POST /files/app/multipart/:hash/:upload/cancel': 'apps:write',
  'GET /billing/user_details': 'account:read',
  'POST /requests/billable-units/:id': 'apps:call',
  'GET /applications/:owner/:name/events': 'apps:read',
  'PUT /applications/scale/:name': 'apps:write',
  'GET /metrics': 'metrics:read',
  'GET /v1/serverless/metrics': 'metrics:read',
  'GET /v1/serverless/apps': 'apps:read',
  'GET /v1/serverless/apps/:owner/:name/queue': 'apps:read',
  'DELETE /v1/serverless/apps/:owner/:name/queue': 'apps:write',
  'GET /v1/serverless/apps/:owner/:name/freezing': 'apps:read',
  'PATCH /v1/serverless/apps/:owner/:name/freezing': 'apps:write',
  'GET /v1/serverless/apps/:owner/:name/queue/settings': 'apps:read',
  'PATCH /v1/serverless/apps/:owner/:name/queue/settings': 'apps:write',
  'GET /v1/serverless/apps/:owner/:name/runners/history': 'runners:read',
  'GET /v1/serverless/apps/:owner/:name/events': 'apps:read',
  'GET /v1/serverless/apps/:owner/:name/revisions': 'apps:read',
  'POST /v1/serverless/apps/:owner/:name/scale': 'apps:write',
  'POST /v1/serverless/apps/:owner/:name/rollout': 'apps:write',
  'POST /v1/serverless/apps/:owner/:name/revision': 'apps:write',
  'DELETE /v1/serverless/apps/:owner/:name': 'apps:write',
  'GET /v1/serverless/environments': 'environments:read',
  'POST /v1/serverless/environments': 'environments:write',
  'DELETE /v1/serverless/environments/:name': 'environments:write',
  'GET /v1/serverless/secrets': 'secrets:read',
  'PUT /v1/serverless/secrets/:name': 'secrets:write',
  'DELETE /v1/serverless/secrets/:name': 'secrets:write',
  'GET /v1/serverless/analytics': 'requests:read',
  'GET /v1/serverless/requests/by-endpoint': 'requests:read',
  'GET /v1/serverless/usage': 'metrics:read',
  'GET /v1/serverless/usage/report': 'metrics:read',
  'GET /v1/serverless/apps/:owner/:name/requests': 'requests:read',
  'GET /applications/:owner/:name/requests': 'requests:read',
  'GET /v1/serverless/requests/:id': 'requests:read',
  'POST /v1/serverless/requests/:id/retry': 'apps:write',
  'GET /v1/serverless/apps/:owner/:name/explain': 'apps:read',
  'GET /v1/serverless/requests/:id/explain': 'requests:read',
  'GET /v1/serverless/runners/:id/explain': 'runners:read',
  'GET /v1/serverless/webhooks': 'requests:read',
  'POST /v1/serverless/webhooks/:request/resend': 'apps:call',
  'POST /v1/serverless/logs/history': 'logs:read',
  'POST /v1/serverless/logs/stream': 'logs:read',
  'GET /v1/machines': 'runners:read',
  'POST /v1/machines/drain': 'accounts:write',
  'POST /v1/machines/undrain': 'accounts:write',
  'GET /v1/keys': 'keys:read',
  'POST /v1/keys': 'keys:write',
  'DELETE /v1/keys/:id': 'keys:write',
  'GET /v1/meta': 'anyone',
  'GET /v1/openapi.json': 'anyone',
  'POST /tokens/': 'apps:call',
  'POST /tokens': 'apps:call',
  'POST /tokens/realtime': 'apps:call',
  'POST /storage/auth/token': 'storage:upload',
  'POST /storage/upload/initiate': 'storage:upload',
  'POST /storage/upload/initiate-multipart': 'storage:upload',
  'PUT /storage/uploads/:ticket': 'anyone',
  'GET /storage/uploads/:ticket': 'anyone',
  'POST /storage/uploads/:ticket/complete': 'anyone',
  'PUT /storage/uploads/:ticket/:number': 'anyone',
  'POST /storage/uploads/:ticket/:number': 'anyone',
  'POST /files/upload': 'storage:upload',
  'POST /files/upload/multipart': 'storage:upload',
  'GET /storage/files/:id/:name/multipart/:upload': 'storage:upload',
  'POST /storage/files/:id/:name/multipart/:upload/complete': 'storage:upload',
  'PUT /storage/files/:id/:name/multipart/:upload/:number': 'storage:upload',
  'GET /storage/files/:id/:name': 'anyone',
  'GET /storage/files/acl': 'storage:upload',
  'PUT /storage/files/acl': 'storage:upload',
  'POST /storage/files/:id/:name/sign': 'storage:upload',
  'GET /v1/storage/files/acl': 'storage:upload',
  'PUT /v1/storage/files/acl': 'storage:upload',
  'POST /v1/storage/files/sign': 'storage:upload',
  'GET /kv/get/:store/:name{.+}': 'kv:read',
  'PUT /kv/set/:store/:name{.+}': 'kv:write',
  'DELETE /kv/delete/:store/:name{.+}': 'kv:write',
  // These only say that they are not served.
  InteractiveRun: 'account:read',
  Map: 'account:read',
}

/** What changes something and yet leaves no entry in the record of changes, and why. What is missing here fails. */
const unaudited: Readonly<Record<string, string>> = {
  BuildEnvironment: 'an environment is found by its content: building it changes nothing of an account',
  'POST /files/missing_hashes': 'it only looks, for those who deploy',
  'POST /files/app/multipart/:hash/initiate':
    'what a deploy may name changes nothing until one does, and that is recorded',
  'PUT /files/app/multipart/:hash/:upload/:part':
    'what a deploy may name changes nothing until one does, and that is recorded',
  'POST /files/app/multipart/:hash/:upload/complete':
    'what a deploy may name changes nothing until one does, and that is recorded',
  'POST /files/app/multipart/:hash/:upload/cancel':
    'what a deploy may name changes nothing until one does, and that is recorded',
  'PUT /files/file/multipart/*': 'a part is no file yet; the upload is recorded when it is complete',
  'PUT /kv/set/:store/:name{.+}': 'values are the data of apps, which set them as often as they like',
  'DELETE /kv/delete/:store/:name{.+}': 'as above',
}

/** What each key may do, said once more so that a preset does not grow unnoticed. `true` is everything in an account. */
const mayDo: Readonly<Record<keyof typeof presets, true | readonly Permission[]>> = {
  ADMIN: true,
  API: [
    'account:read',
    'apps:call',
    'apps:read',
    'files:read',
    'logs:read',
    'metrics:read',
    'requests:read',
    'storage:upload',
    'workflows:read',
  ],
  DEPLOY: [
    'account:read',
    'apps:read',
    'apps:write',
    'files:read',
    'files:write',
    'logs:read',
    'runners:read',
    'storage:upload',
  ],
  READONLY: [
    'account:read',
    'apps:read',
    'events:read',
    'files:read',
    'logs:read',
    'metrics:read',
    'requests:read',
    'runners:read',
    'workflows:read',
  ],
  BILLING: ['account:read', 'metrics:read'],
  COMPUTE: ['account:read', 'apps:read', 'logs:read', 'metrics:read', 'runners:exec', 'runners:read', 'runners:write'],
  SERVERLESS: [
    'account:read',
    'apps:call',
    'apps:read',
    'apps:write',
    'files:read',
    'files:write',
    'kv:read',
    'kv:write',
    'logs:read',
    'metrics:read',
    'requests:read',
    'runners:exec',
    'runners:read',
    'runners:write',
    'storage:upload',
    'workflows:read',
    'workflows:write',
  ],
  AGENT: ['account:read', 'apps:call', 'apps:read', 'storage:upload', 'workflows:read'],
  RUNNER: ['account:read', 'apps:call', 'kv:read', 'kv:write', 'storage:upload'],
}

/** What each call names of ann's, when somebody else makes it. What is missing here fails. */
const aimedAtAnn: Readonly<Record<string, Input>> = {
  BuildEnvironment: { applicationName: 'hello' },
  RegisterApplication: { applicationName: 'hello' },
  UpdateApplication: { applicationName: 'hello', keepAlive: 1 },
  SetAlias: { alias: 'hello', revision: '$revision' },
  DeleteAlias: { alias: 'hello' },
  ListAliases: {},
  ListApplications: { applicationName: 'hello' },
  ListRunners: { listPending: true },
  ListAliasRunners: { alias: 'hello', listPending: true },
  StopRunner: { runnerId: 'runner-of-ann' },
  KillRunner: { runnerId: 'runner-of-ann' },
  CreateUserKey: { policyPreset: 'FULL' },
  ListUserKeys: {},
  RevokeUserKey: { keyId: '$key' },
  'GET /users/current': {},
  'GET /users/teams': {},
  'GET /runners/:id': { ':id': 'runner-of-ann' },
  'GET /logs/': { '?': 'job_id=runner-of-ann' },
  'POST /logs/history': { '?': 'job_id=runner-of-ann' },
  'POST /logs/stream': { '?': 'job_id=runner-of-ann' },
  'GET /applications/metrics': {},
  'GET /applications/:owner/:name/queue': { ':owner': 'ann', ':name': 'hello' },
  'DELETE /applications/:owner/:name/queue': { ':owner': 'ann', ':name': 'hello' },
  'GET /applications/:owner/:name/metadata': { ':owner': 'ann', ':name': 'hello' },
  'GET /v1/status': {},
  'POST /tokens/': { allowed_apps: ['ann/hello'] },
  'POST /tokens': { allowed_apps: ['ann/hello'] },
  'POST /tokens/realtime': { allowed_apps: ['ann/hello'] },
  'POST /storage/auth/token': {},
  'POST /storage/upload/initiate': {},
  'POST /storage/upload/initiate-multipart': {},
  'PUT /storage/uploads/:ticket': {},
  'GET /storage/uploads/:ticket': {},
  'POST /storage/uploads/:ticket/complete': {},
  'PUT /storage/uploads/:ticket/:number': {},
  'POST /storage/uploads/:ticket/:number': {},
  'POST /files/upload': {},
  'POST /files/upload/multipart': {},
  'GET /storage/files/:id/:name/multipart/:upload': { ':id': '$upload', ':upload': '$upload' },
  'POST /storage/files/:id/:name/multipart/:upload/complete': { ':id': '$upload', ':upload': '$upload' },
  'PUT /storage/files/:id/:name/multipart/:upload/:number': { ':id': '$upload', ':upload': '$upload', ':number': '1' },
  'GET /storage/files/:id/:name': { ':id': '$upload', ':name': 'made-by-ann.txt' },
  'GET /storage/files/acl': { '?': 'url=http://localhost/storage/files/$upload/made-by-ann.txt' },
  'PUT /storage/files/acl': { '?': 'url=http://localhost/storage/files/$upload/made-by-ann.txt', default: 'allow' },
  'POST /storage/files/:id/:name/sign': { ':id': '$upload', ':name': 'made-by-ann.txt', duration: 60 },
  'GET /v1/storage/files/acl': { '?': 'url=http://localhost/storage/files/$upload/made-by-ann.txt' },
  'PUT /v1/storage/files/acl': { '?': 'url=http://localhost/storage/files/$upload/made-by-ann.txt', default: 'allow' },
  'POST /v1/storage/files/sign': {
    '?': 'url=http://localhost/storage/files/$upload/made-by-ann.txt',
    expiration_seconds: 60,
  },
  'GET /kv/get/:store/:name{.+}': { ':store': 'settings', ':name': 'ann' },
  'PUT /kv/set/:store/:name{.+}': { ':store': 'settings', ':name': 'ann' },
  'DELETE /kv/delete/:store/:name{.+}': { ':store': 'settings', ':name': 'ann' },
  'GET /v1/events': {},
  'GET /v1/environments/:id/sbom': { ':id': 'environment-of-ann' },
  'GET /v1/runners': {},
  'GET /dashboard/apps/:owner/:name/*': { ':owner': 'ann', ':name': 'hello' },
  'GET /dashboard/assets/:file': { ':file': 'page.js' },
  'GET /dashboard/data/:owner/:name': { ':owner': 'ann', ':name': 'hello' },
  'GET /dashboard/data/:owner/:name/logs': { ':owner': 'ann', ':name': 'hello' },
  'GET /workflows/': {},
  'POST /workflows/': {},
  'GET /workflows/:owner/:name': { ':owner': 'ann', ':name': 'steps' },
  'PATCH /workflows/:owner/:name': { ':owner': 'ann', ':name': 'steps', title: 'of-bob' },
  'DELETE /workflows/:owner/:name': { ':owner': 'ann', ':name': 'steps' },
  'GET /comfy/': {},
  'POST /comfy/': {},
  'GET /comfy/:owner/:name': { ':owner': 'ann', ':name': 'graph' },
  'PATCH /comfy/:owner/:name': { ':owner': 'ann', ':name': 'graph', title: 'of-bob' },
  'DELETE /comfy/:owner/:name': { ':owner': 'ann', ':name': 'graph' },
  'GET /.well-known/carrick/ca.pem': {},
  'GET /.well-known/jwks.json': {},
  'GET /v1/accounts': {},
  'POST /v1/accounts': { nickname: 'carol' },
  'POST /v1/system/prune': {},
  'POST /v1/images': {},
  'GET /v1/images': {},
  'DELETE /v1/images/:name{.+}': { ':name': 'environment-of-ann' },
  'PATCH /v1/accounts/:name': { ':name': 'bob', data_quota: 5 },
  'GET /v1/serverless/files/usage': {},
  'GET /files/list/*': { '*': 'models' },
  'GET /files/file/*': { '*': 'models/of-ann' },
  'POST /files/dir/check_hash/*': { '*': 'models', hash: 'x' },
  'POST /files/file/multipart/*': { '*': 'models/of-ann/initiate' },
  'PUT /files/file/multipart/*': {},
  'POST /files/file/local/*': {},
  'POST /files/file/url/*': {},
  'DELETE /files/file/*': { '*': 'models' },
  'POST /files/rename/*': { '*': 'models', destination: 'mine' },
  'GET /v1/serverless/files/list/*': { '*': 'models' },
  'GET /v1/serverless/files/file/*': { '*': 'models/of-ann' },
  'POST /v1/serverless/files/file/local/*': {},
  'POST /v1/serverless/files/file/url/*': {},
  'POST /files/missing_hashes': { hashes: [] },
  'POST /files/app/multipart/:hash/initiate': {},
  'PUT /files/app/multipart/:hash/:upload/:part': {},
  'POST /files/app/multipart/:hash/:upload/complete': {},
  'POST /files/app/multipart/:hash/:upload/cancel': {},
  'GET /billing/user_details': {},
  'POST /requests/billable-units/:id': { ':id': 'x', billable_units: '1' },
  'GET /applications/:owner/:name/events': { ':owner': 'ann', ':name': 'hello' },
  'PUT /applications/scale/:name': { ':name': 'hello', keep_alive: 1 },
  'GET /metrics': {},
  'GET /v1/serverless/metrics': {},
  'GET /v1/serverless/apps': {},
  'GET /v1/serverless/apps/:owner/:name/queue': { ':owner': 'ann', ':name': 'hello' },
  'DELETE /v1/serverless/apps/:owner/:name/queue': { ':owner': 'ann', ':name': 'hello' },
  'GET /v1/serverless/apps/:owner/:name/freezing': { ':owner': 'ann', ':name': 'hello' },
  'PATCH /v1/serverless/apps/:owner/:name/freezing': { ':owner': 'ann', ':name': 'hello', freeze_after: 60 },
  'GET /v1/serverless/apps/:owner/:name/queue/settings': { ':owner': 'ann', ':name': 'hello' },
  'PATCH /v1/serverless/apps/:owner/:name/queue/settings': { ':owner': 'ann', ':name': 'hello', paused: true },
  'GET /v1/serverless/apps/:owner/:name/runners/history': { ':owner': 'ann', ':name': 'hello' },
  'GET /v1/serverless/apps/:owner/:name/events': { ':owner': 'ann', ':name': 'hello' },
  'GET /v1/serverless/apps/:owner/:name/revisions': { ':owner': 'ann', ':name': 'hello' },
  'POST /v1/serverless/apps/:owner/:name/scale': { ':owner': 'ann', ':name': 'hello', keep_alive: 1 },
  'POST /v1/serverless/apps/:owner/:name/rollout': { ':owner': 'ann', ':name': 'hello' },
  'POST /v1/serverless/apps/:owner/:name/revision': { ':owner': 'ann', ':name': 'hello', revision_id: '$revision' },
  'DELETE /v1/serverless/apps/:owner/:name': { ':owner': 'ann', ':name': 'hello' },
  'GET /v1/serverless/environments': {},
  'POST /v1/serverless/environments': {},
  'DELETE /v1/serverless/environments/:name': {},
  'GET /v1/serverless/secrets': {},
  'PUT /v1/serverless/secrets/:name': {},
  'DELETE /v1/serverless/secrets/:name': {},
  'GET /v1/serverless/analytics': { '?': 'endpoint_id=ann/hello' },
  'GET /v1/serverless/requests/by-endpoint': { '?': 'endpoint_id=ann/hello' },
  'GET /v1/serverless/usage': {},
  'GET /v1/serverless/usage/report': {},
  'GET /v1/serverless/apps/:owner/:name/requests': { ':owner': 'ann', ':name': 'hello' },
  'GET /applications/:owner/:name/requests': { ':owner': 'ann', ':name': 'hello' },
  'GET /v1/serverless/requests/:id': { ':id': 'request-of-ann' },
  'POST /v1/serverless/requests/:id/retry': { ':id': 'request-of-ann' },
  'GET /v1/serverless/apps/:owner/:name/explain': { ':owner': 'ann', ':name': 'hello' },
  'GET /v1/serverless/requests/:id/explain': { ':id': 'told-of-ann' },
  'GET /v1/serverless/runners/:id/explain': { ':id': 'runner-of-ann' },
  'GET /v1/serverless/webhooks': { '?': 'request_id=told-of-ann' },
  'POST /v1/serverless/webhooks/:request/resend': { ':request': 'told-of-ann' },
  'POST /v1/serverless/logs/history': { '?': 'app_id=ann/hello' },
  'POST /v1/serverless/logs/stream': { '?': 'app_id=ann/hello' },
  'GET /v1/machines': {},
  'POST /v1/machines/drain': {},
  'POST /v1/machines/undrain': {},
  'GET /v1/keys': {},
  'POST /v1/keys': { alias: 'made' },
  'DELETE /v1/keys/:id': { ':id': '$key' },
  'GET /v1/meta': {},
  'GET /v1/openapi.json': {},
  Run: {},
  InteractiveRun: {},
  Map: {},
  DeleteApplication: { applicationId: '$revision' },
  RolloutApplication: { applicationName: 'hello' },
  SetSecret: {},
  ListSecrets: {},
  ShellRunner: { runnerId: 'runner-of-ann' },
  ListEnvironments: {},
  CreateEnvironment: {},
  DeleteEnvironment: {},
}

/** Of ann's. */
const upload = { id: 'u'.repeat(32) }
const value = { store: 'settings', name: 'ann' }

let control: TestControl
let keys: Readonly<Record<string, string>>
let revision = ''

beforeAll(async () => {
  control = await openTestControl()
  keys = Object.fromEntries(
    await Promise.all([
      ...Object.entries(presets).map(
        async ([name, granted]) => [`ann's ${name}`, await keyOf('ann', granted)] as const,
      ),
      ...(['ADMIN', 'API'] as const).map(async (name) => [`bob's ${name}`, await keyOf('bob', presets[name])] as const),
    ]),
  )
  await giveAnnThings()
  return () => control[Symbol.asyncDispose]()
})

const served = IsolateController.methods.map(({ name, localName }) => [name, permissionOf(localName)] as const)
const addressed = routes.map(({ method, path, permission }) => [`${method} ${path}`, permission] as const)

test('every method of the service and every address names the permission that is expected of it', () => {
  expect(Object.fromEntries([...served, ...addressed])).toEqual(doors)
})

test('whatever changes something of an account is recorded', () => {
  const all = [
    ...IsolateController.methods.map(({ name, localName }) => ({ name, ...methodNamed(localName) })),
    ...routes.map(({ method, path, ...route }) => ({ name: `${method} ${path}`, ...route })),
  ]
  const changes = all.filter(({ permission }) => /:(write|exec)$/.test(permission))
  expect(changes.filter(({ audited }) => !audited).map(({ name }) => name)).toEqual(Object.keys(unaudited))
})

test('it is known of each what it could take from another account', () => {
  expect(Object.keys(aimedAtAnn).toSorted()).toEqual(Object.keys(doors).toSorted())
})

const forAnyone = Object.keys(doors).filter((door) => doors[door] === 'anyone')

test.each(forAnyone)('%s is open to all, and says nothing of ann that was not asked with', async (door) => {
  const { outcome, said } = await attempt(door, null, aimed(door))
  expect(outcome).toBe('open')
  expect(marksIn(said)).toEqual([])
})

describe.each(Object.keys(doors).filter((door) => !forAnyone.includes(door)))('%s', (door) => {
  test('is closed to those without a key', async () => {
    expect(await answered(door, null)).toBe('unauthenticated')
    expect(await answered(door, 'nobody:wrong')).toBe('unauthenticated')
    expect(await answered(door, `${control.keys.ann.split(':')[0]}:wrong`)).toBe('unauthenticated')
  })

  test('is closed to a revoked key', async () => {
    const key = await keyOf('ann', presets.ADMIN)
    expect(await answered(door, key)).toBe('open')
    await control.client().revokeUserKey({ keyId: key.split(':')[0] ?? '' })
    expect(await answered(door, key)).toBe('unauthenticated')
  })

  test.each(Object.entries(mayDo))('takes its permission from a key made as %s', async (preset, allowed) => {
    const may = allowed === true || allowed.includes(permissionAt(door))
    expect(await answered(door, keys[`ann's ${preset}`] ?? '')).toBe(may ? 'open' : 'forbidden')
  })

  test.each(['ADMIN', 'API'] as const)("gives nothing of ann's to bob's %s key", async (preset) => {
    const before = await annsThings()
    const { said, outcome } = await attempt(door, keys[`bob's ${preset}`] ?? '', aimed(door))
    expect(marksIn(said)).toEqual([])
    expect(outcome === 'forbidden').toBe(!bobMay(preset, door))
    expect(await annsThings()).toEqual(before)
  })
})

/** What is for few keys besides: those of the first account, and those of runners. */
const forFew: ReadonlySet<string> = new Set(['GET /metrics', 'POST /requests/billable-units/:id'])

/** What goes on for ever unless it is told when to end. */
const endless: Readonly<Record<string, string>> = { 'POST /v1/serverless/logs/stream': 'end=2000-01-01T00:00:00Z' }

/** bob's account is not the first, so even ADMIN is not about accounts there. */
function bobMay(preset: 'ADMIN' | 'API', door: string): boolean {
  const allowed = mayDo[preset]
  const permission = permissionAt(door)
  if (forFew.has(door)) return false
  return allowed === true ? !permission.startsWith('accounts:') : allowed.includes(permission)
}

async function giveAnnThings(): Promise<void> {
  await using draft = await control.files.staging.receive(Readable.from([Buffer.from('file-of-ann')]), 100)
  await control.files.place('account-ann', [{ path: ['models', 'of-ann'], draft: draft.path }])
  const environments = [{ kind: 'virtualenv', configuration: { python_version: '3.11', requirements: ['fal'] } }]
  const callable = { case: 'function', value: { method: 'cloudpickle', definition: new Uint8Array([1]) } } as const
  const deploy = { applicationName: 'hello', environments, callable, deploymentStrategy: DeploymentStrategy.RECREATE }
  const metadata = { message: 'made-by-ann' }
  for await (const { result } of control.client().registerApplication({ ...deploy, metadata })) {
    revision = result?.applicationId ?? revision
  }
  const app = control.apps.find('ann', 'hello')?.app
  if (app === undefined) throw new Error('the app is not there')
  const identity = { id: 'runner-of-ann', appId: app.id, accountId: app.accountId, revisionId: revision }
  await control.store.commit(
    addRunner({ ...identity, machineType: 'S', createdAt: 1_000, state: 'pending', startAt: 1_000 }),
  )
  const image = { imageId: 'sha256:1', tag: 'a/b:c', accountId: app.accountId }
  const sbom = {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    components: [{ type: 'library', name: 'made-by-ann', version: '1' }],
  }
  await control.store.commit(keepImage('environment-of-ann', { image, sbom: JSON.stringify(sbom), now: 1_000 }))
  const stored = { ...(await control.deps.objects.put(Buffer.from('made-by-ann'), 100)), number: 1 }
  const acl = { default: 'hide' as const, rules: [] }
  const object = {
    ...upload,
    accountId: app.accountId,
    name: 'made-by-ann.txt',
    contentType: 'text/plain',
    acl,
    version: 0,
  }
  await control.store.commit(addObject({ ...object, dropAt: 1_000 }, 1_000))
  await control.store.commit(putWhole(upload.id, stored, undefined))
  await control.store.commit(putValue({ ...value, accountId: app.accountId }, 'made-by-ann', Number.MAX_SAFE_INTEGER))
  const payload = { method: 'POST', path: '/', headers: [], body: { inline: new Uint8Array() }, callerId: 'ann' }
  const request = { id: 'told-of-ann', appId: app.id, priority: 'normal', acceptedAt: 1_000, payload } as const
  const webhook = { url: 'https://made-by-ann.example/', accountId: app.accountId }
  await control.store.commit(acceptRequest({ ...request, retry: { forbidden: false, budgets: {} }, webhook }))
  await control.store.commit(
    completeWaiting({ requestId: request.id, outcome: cancelledOutcome(request.id), now: 1_000 }),
  )
  const graph = { name: 'graph', title: 'made-by-ann', workflow: { prompt: {} }, isPublic: false, createdAt: 1_000 }
  await control.store.commit(addComfyWorkflow({ ...graph, accountId: app.accountId }))
  const times = { acceptedAt: 1_000, startedAt: 1_000, finishedAt: 1_001 }
  await endTestRequest(control.store, 'request-of-ann', { appId: app.id, path: '/made-by-ann', ...times })
  control.script.runners = [testRunner({ id: 'runner-of-ann', appId: app.id, revisionId: revision })]
}

/** All that bob could have changed or ended. */
async function annsThings() {
  const client = control.client()
  const [aliases, applications, listed] = await Promise.all([
    client.listAliases({}),
    client.listApplications({}),
    client.listUserKeys({}),
  ])
  const files = await control.files.peek('account-ann', ['models', 'of-ann'], 100)
  const [graph, object, parts, kept, retries, webhooks] = await Promise.all([
    control.store.read(comfyWorkflow('account-ann', 'graph')),
    control.store.read(objectById(upload.id)),
    control.store.read(partsOf(upload.id)),
    control.store.read(valueAt({ ...value, accountId: 'account-ann' }, 1)),
    control.store.read(retriesOf('request-of-ann', 1)),
    control.store.read(webhooksOfAccount('account-ann', { limit: 10 })),
  ])
  const stored = { graph, object, parts, kept, retries, webhooks, files }
  return { aliases, applications, listed, asked: [...control.script.asked], ...stored }
}

/** What of ann's stands in an answer. A refusal repeats the id that was sent, and so does the record of it, which tells nothing. */
function marksIn(said: string): readonly string[] {
  const marks = [
    'account-ann',
    'made-by-ann',
    control.keys.ann.split(':')[0] ?? '',
    revision,
    'runner-of-ann',
    'file-of-ann',
  ]
  const told = said.replaceAll(/"[^"]*" (of "[^"]*" )?not found|"(subject|revision)":"[^"]*"/g, '')
  return marks.filter((mark) => told.includes(mark))
}

function aimed(door: string): Input {
  const ids = { $revision: revision, $key: control.keys.ann.split(':')[0] ?? '', $upload: upload.id }
  const withIds = (sent: unknown) =>
    typeof sent === 'string' ? Object.entries(ids).reduce((text, [name, id]) => text.replaceAll(name, id), sent) : sent
  const named = Object.entries(aimedAtAnn[door] ?? {}).map(([name, sent]) => [name, withIds(sent)])
  return Object.fromEntries(named)
}

type Input = Record<string, unknown>
type Outcome = 'open' | 'forbidden' | 'unauthenticated'

async function answered(door: string, key: string | null): Promise<Outcome> {
  return (await attempt(door, key, {})).outcome
}

function attempt(door: string, key: string | null, input: Input): Promise<{ outcome: Outcome; said: string }> {
  const method = IsolateController.methods.find(({ name }) => name === door)
  return method === undefined ? overRest(door, key, input) : overGrpc(method, key, input)
}

async function overGrpc(method: DescMethod, key: string | null, input: Input) {
  try {
    return { outcome: 'open', said: JSON.stringify(await call(control.channel(key), method, input)) } as const
  } catch (error) {
    const { code, rawMessage } = ConnectError.from(error)
    const refusals: Partial<Record<Code, Outcome>> = {
      [Code.Unauthenticated]: 'unauthenticated',
      [Code.PermissionDenied]: 'forbidden',
    }
    return { outcome: refusals[code] ?? 'open', said: rawMessage } as const
  }
}

async function call(transport: Transport, method: DescMethod, input: Input): Promise<unknown> {
  if (isUnary(method)) return (await transport.unary(method, undefined, undefined, undefined, input)).message
  if (!isStream(method)) throw new Error(`${method.name} is of no kind`)
  const { message } = await transport.stream(method, undefined, undefined, undefined, once(input))
  const all: unknown[] = []
  for await (const each of message) all.push(each)
  return all
}

async function overRest(door: string, key: string | null, input: Input) {
  const [method = '', path = ''] = door.split(' ')
  const given = new Map(Object.entries(input) as [string, string][])
  const address =
    path.replaceAll(/:\w+|\*$/g, (name) => given.get(name) ?? 'x') + `?${given.get('?') ?? ''}&${endless[door] ?? ''}`
  const { status, body } = await control.rest(address, {
    method,
    key,
    ...(['POST', 'PUT', 'PATCH'].includes(method) ? { body: JSON.stringify(input) } : {}),
  })
  const refusals: Readonly<Record<number, Outcome>> = { 401: 'unauthenticated', 403: 'forbidden' }
  return { outcome: refusals[status] ?? 'open', said: JSON.stringify(body) } as const
}

async function keyOf(nickname: string, granted: readonly Granted[]): Promise<string> {
  return formatKey(await control.keyring.mint(`account-${nickname}`, granted, 'matrix'))
}

function permissionAt(door: string): Permission {
  const permission = doors[door]
  if (permission === undefined || permission === 'anyone') throw new Error(`no permission is expected of ${door}`)
  return permission
}

function permissionOf(localName: string): Permission {
  return methodNamed(localName).permission
}

function methodNamed(localName: string): { readonly permission: Permission; readonly audited: boolean } {
  const method = Object.entries(methods).find(([name]) => name === localName)?.[1]
  if (method === undefined) throw new Error(`${localName} has no operation`)
  return method
}

const isUnary = (method: DescMethod): method is DescMethodUnary => method.methodKind === 'unary'
const isStream = (method: DescMethod): method is DescMethodStreaming => method.methodKind !== 'unary'

async function* once<T>(message: T): AsyncGenerator<T> {
  yield message
}
