import { queueDefaults } from '../domain/queue-settings.ts'
import { expect, test } from 'vitest'
import { pend, start } from '../domain/runner.ts'
import { serverDefaults } from '../domain/scale.ts'
import { testSpec } from '../testing/scheduler.ts'
import { createLaunch, type LaunchParts, type RunnerStart } from './launch.ts'

const parts: LaunchParts = {
  environments: { placeOf: async (id) => ({ kind: 'folder', path: `/environments/${id}` }) },
  blobs: { pathOf: async (key) => `/blobs/${key}` },
  results: { pathOf: (id) => `/results/${id}`, limit: 1_000 },
  vault: {
    exposed: async ({ environment }, allowed) => ({
      HF_TOKEN: `hf of ${environment}`,
      VIRTUAL_ENV: `${allowed?.length}`,
    }),
  },
  jobKeyOf: (id) => `word of ${id}`,
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
  }),
  files: { folderOf: async (account, path = []) => ['/carrick/data', account, ...path].join('/') },
  appTrees: { folderOf: async (revision) => `/carrick/app-files/${revision}` },
  quotas: { isOver: () => false },
  withoutMounts: undefined,
}
const launch = createLaunch(parts)

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
    queue: queueDefaults,
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
  const spec = { ...testSpec(), run: 'app' } as const
  const { variables } = (await launch({ ...started, revision: { ...started.revision, spec } })).spec
  expect(variables).toMatchObject({ CARRICK_RESULT: '/results/runner', CARRICK_RESULT_LIMIT: '1000' })
  expect((await launch(started)).spec.variables).not.toHaveProperty('CARRICK_RESULT')
})

test('what calls functions is given a word that no line shows', async () => {
  const spec = { ...testSpec(), run: 'host' } as const
  const { spec: launched, hidden } = await launch({ ...started, revision: { ...started.revision, spec } })
  expect(launched.variables).toMatchObject({ CARRICK_JOB_KEY: 'word of runner' })
  expect(launched.variables).not.toHaveProperty('CARRICK_RESULT')
  expect(hidden).toContain('word of runner')
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

test('a runner sees the folder of its account at /data, and of its revision nothing', async () => {
  const { mounts, variables } = (await launch(started)).spec
  expect(mounts).toEqual([{ from: '/carrick/data/account', to: '/data', readOnly: false }])
  expect(variables).toMatchObject({ HF_HOME: '/data/.cache/huggingface', CARRICK_DATA_FOLDER: '/data' })
})

test('an app sees only the parts of /data that it named, and its files at /app, where nothing can change them', async () => {
  const files = [{ path: 'a.txt', mode: 0o100644, blob: 'blob-3' }]
  const spec = { ...testSpec(), files, dataMounts: ['/data/.cache', '/data/models/one'] }
  const { mounts } = (await launch({ ...started, revision: { ...started.revision, spec } })).spec
  expect(mounts).toEqual([
    { from: '/carrick/data/account/.cache', to: '/data/.cache', within: '/carrick/data/account', readOnly: false },
    {
      from: '/carrick/data/account/models/one',
      to: '/data/models/one',
      within: '/carrick/data/account',
      readOnly: false,
    },
    { from: '/carrick/app-files/r1', to: '/app', readOnly: true },
  ])
})

test('where there can be no mounts, a runner is told why, and where its files are', async () => {
  const { spec } = await createLaunch({ ...parts, withoutMounts: 'this is a test' })(started)
  expect(spec.mounts).toEqual([])
  expect(spec.variables).toMatchObject({
    CARRICK_DATA_FOLDER: '/carrick/data/account',
    HF_HOME: '/carrick/data/account/.cache/huggingface',
    CARRICK_RUNNER_WITHOUT_MOUNTS: expect.stringContaining('because this is a test'),
  })
})

test('a runner sees the GPUs of its place and is held to it; without GPUs it sees none', async () => {
  const placement = { machineId: 'box', machineType: 'GPU-H100', cpus: 24, memoryBytes: 2 ** 37, gpus: [1, 3] }
  const onGpus = (await launch({ ...started, runner: { ...started.runner, placement } })).spec
  expect(onGpus.variables).toMatchObject({ CUDA_VISIBLE_DEVICES: '1,3', CUDA_DEVICE_ORDER: 'PCI_BUS_ID' })
  expect(onGpus.limits).toMatchObject({ cpus: 24, memoryBytes: 2 ** 37, gpus: [1, 3] })
  const without = { ...started.runner, placement: { ...placement, machineType: 'S', gpus: [] } }
  expect((await launch({ ...started, runner: without })).spec.variables).toMatchObject({ CUDA_VISIBLE_DEVICES: '' })
})

test('an image that serves by itself is told who it is, and nothing that is for code of the SDK', async () => {
  const environment = {
    kind: 'container',
    accountId: 'account',
    source: { from: 'base' },
    layers: [],
    compileBytecode: false,
  } as const
  const spec = { ...testSpec(), environment, callable: { serves: 'image' } as const, exposedPort: 9000 }
  const built = { placeOf: async () => ({ kind: 'image' as const, reference: 'one@sha256:1' }) }
  const own = (
    await createLaunch({ ...parts, environments: built })({ ...started, revision: { ...started.revision, spec } })
  ).spec
  expect(own).toMatchObject({ command: [], image: { reference: 'one@sha256:1' }, exposedPort: 9000 })
  expect(own.variables).toMatchObject({ FAL_KEY: 'id:secret', FAL_APP_NAME: 'ann/hello', HF_TOKEN: expect.any(String) })
  expect(Object.keys(own.variables).filter((name) => /ISOLATE|CALLABLE|METHOD|PYTHON/.test(name))).toEqual([])
})
