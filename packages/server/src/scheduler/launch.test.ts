import { expect, test } from 'vitest'
import { pend, start } from '../domain/runner.ts'
import { serverDefaults } from '../domain/scale.ts'
import { testSpec } from '../testing/scheduler.ts'
import { createLaunch, type RunnerStart } from './launch.ts'

const launch = createLaunch({
  environments: { folderOf: (id) => `/environments/${id}` },
  blobs: { pathOf: (key) => `/blobs/${key}` },
  results: { pathOf: (id) => `/results/${id}`, limit: 1_000 },
  vault: {
    exposed: async ({ environment }, allowed) => ({
      HF_TOKEN: `hf of ${environment}`,
      VIRTUAL_ENV: `${allowed?.length}`,
    }),
  },
  bootstrap: '/carrick/carrick_runner',
  surroundings: () => ({
    grpcHost: 'localhost:8700',
    restHost: 'localhost:40000',
    runHost: 'localhost:40000',
    queueRunHost: 'localhost:40000/queue',
    wsRunHost: 'localhost:40000/ws',
    cdnUrl: 'https://localhost:40000',
    kvUrl: 'https://localhost:40000/kv',
    bundle: '/data/bundle.pem',
    region: 'local',
    sharedFolder: '/data/shared',
  }),
})

const at = { accountId: 'account', createdAt: 0 }
const started: RunnerStart = {
  runner: start(pend({ ...at, id: 'runner', appId: 'app', revisionId: 'r1', machineType: 'XS' }, 0), 1, 0),
  app: {
    ...at,
    id: 'app',
    owner: 'ann',
    name: 'hello',
    environment: 'main',
    authMode: 'private',
    scale: serverDefaults,
    updatedAt: 0,
  },
  revision: { ...at, id: 'r1', appId: 'app', spec: testSpec() },
  key: { credentials: { keyId: 'id', secret: 'secret' }, write: { statements: [], result: () => {}, touches: [] } },
}

test('a runner is the environment’s own interpreter with our bootstrap', async () => {
  expect((await launch(started)).spec.command).toEqual([
    '/environments/environment-1/bin/python',
    '/carrick/carrick_runner/__main__.py',
  ])
})

test('a runner knows who it is, who it works for and where the platform is', async () => {
  const { variables } = (await launch(started)).spec
  expect(variables).toMatchObject({
    FAL_KEY: 'id:secret',
    FAL_KEY_ID: 'id',
    FAL_KEY_SECRET: 'secret',
    FAL_APP_NAME: 'ann/hello',
    FAL_APP_ID: 'r1',
    FAL_USER_NICKNAME: 'ann',
    FAL_JOB_ID: 'runner',
    FAL_HOST: 'localhost:8700',
    FAL_RUN_HOST: 'localhost:40000',
    CARRICK_CALLABLE: '/blobs/blob-1',
    CARRICK_METHOD: 'dill',
    SSL_CERT_FILE: '/data/bundle.pem',
  })
  // With it every start would compile what it imports again.
  expect(variables).not.toHaveProperty('PYTHONDONTWRITEBYTECODE')
})

test('what runs for its caller is told where its result goes, what is deployed is not', async () => {
  const spec = { ...testSpec(), run: 'function', setup: { method: 'dill', blob: 'blob-2' } } as const
  const { variables } = (await launch({ ...started, revision: { ...started.revision, spec } })).spec
  expect(variables).toMatchObject({
    CARRICK_RESULT: '/results/runner',
    CARRICK_RESULT_LIMIT: '1000',
    CARRICK_SETUP: '/blobs/blob-2',
    CARRICK_SETUP_METHOD: 'dill',
  })
  expect((await launch(started)).spec.variables).not.toHaveProperty('CARRICK_RESULT')
})

test('an entry point is named, and no file is', async () => {
  const spec = { ...testSpec(), callable: { entrypoint: 'shop.app:Shop.run_local' } }
  const { variables } = (await launch({ ...started, revision: { ...started.revision, spec } })).spec
  expect(variables).toMatchObject({ CARRICK_ENTRYPOINT: 'shop.app:Shop.run_local', CARRICK_METHOD: 'pickle' })
  expect(variables).not.toHaveProperty('CARRICK_CALLABLE')
})

test('a runner is given the secrets of its environment, which take the place of nothing that the platform says', async () => {
  const { spec, hidden } = await launch({ ...started, app: { ...started.app, environment: 'staging' } })
  expect(spec.variables).toMatchObject({ HF_TOKEN: 'hf of staging', VIRTUAL_ENV: '/environments/environment-1' })
  expect(hidden).toEqual(expect.arrayContaining(['hf of staging', 'secret']))
})
