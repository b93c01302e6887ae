import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatKey } from '../access/credentials.ts'
import { createCallTokens } from '../access/call-tokens.ts'
import { createKeyring } from '../access/memory-keyring.ts'
import { openLocalBlobs } from '../blobs/local-blobs.ts'
import { createCaller } from '../calls/undici-caller.ts'
import { startDispatcher } from '../dispatcher/dispatcher.ts'
import type { AuthMode } from '../domain/app.ts'
import { workflowAlias } from '../domain/names.ts'
import { presets } from '../domain/permissions.ts'
import { publicOr } from '../domain/public-address.ts'
import type { RevisionSpec } from '../domain/revision.ts'
import type { ScaleSettings } from '../domain/scale.ts'
import type { GatewayDeps } from '../gateway/deps.ts'
import { createGateway } from '../gateway/gateway.ts'
import type { Home, ServingRunner } from '../home/home.ts'
import { createHomes } from '../home/memory-home.ts'
import { createApps } from '../home/store-apps.ts'
import { systemClock } from '../kit/clock.ts'
import { silent } from '../kit/logger.ts'
import { noneRejected } from '../kit/rejections.ts'
import { openLogStore } from '../logs/sqlite-logs.ts'
import { registerRevision } from '../store/next-revisions.ts'
import { addWorkflow } from '../store/workflows.ts'
import { createWorkflows } from '../workflows/workflows.ts'
import { close, listen, openTestRunner, type TestRunner } from './runner.ts'
import { addTestAccount, openTestStore } from './store.ts'

const socketLimits = { socketMessageBytes: 1_000_000, socketIdleMs: 60_000 }

const scale: ScaleSettings = {
  keep_alive: 10,
  min_concurrency: 0,
  max_concurrency: 1,
  concurrency_buffer: 0,
  concurrency_buffer_perc: 0,
  scaling_delay: 0,
  request_timeout: 60,
  valid_regions: [],
  max_multiplexing: 4,
  startup_timeout: 60,
  machine_types: ['XS'],
}

const spec: RevisionSpec = {
  environment: { kind: 'virtualenv', pythonVersion: '3.11', layers: [], compileBytecode: false },
  environmentId: '0'.repeat(64),
  callable: { method: 'dill', blob: '0'.repeat(64) },
  scale,
  terminationGracePeriodSeconds: 5,
  skipRetryConditions: [],
  retryBudgets: {},
  privateLogs: false,
  metadata: {},
}

export interface TestApp {
  readonly id: string
  readonly name: string
  readonly home: Home
}

export interface AppOptions {
  readonly authMode?: AuthMode
  readonly scale?: Partial<ScaleSettings>
  readonly privateLogs?: boolean
  /** What its deploy said of its paths. */
  readonly openapi?: object
  /** It is an image with a server of its own. */
  readonly isOwnServer?: boolean
  /** What serves it; without one it has no runner. */
  readonly runner?: RequestListener
  readonly upgrade?: Parameters<typeof openTestRunner>[1]
}

/** A gateway on a port of its own, before a real store, homes, dispatcher, blobs and logs. The owner is `ann`; `bob` is somebody else. */
export type TestGateway = Awaited<ReturnType<typeof openTestGateway>>

export async function openTestGateway(options: Partial<GatewayDeps> = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'carrick-gateway-'))
  const store = await openTestStore()
  await addTestAccount(store, { id: 'account-ann', nickname: 'ann' })
  await addTestAccount(store, { id: 'account-bob', nickname: 'bob' })
  const clock = systemClock()
  const keyring = await createKeyring(store, clock)
  const callTokens = createCallTokens({ keyring, clock, encryptionKey: new Uint8Array(32) })
  const apps = await createApps(store)
  const homes = createHomes({ clock, limits: { waitingCallers: 10 } })
  const blobs = await openLocalBlobs({ folder: join(folder, 'blobs') })
  const logs = await openLogStore({ folder: join(folder, 'logs'), clock, log: silent })
  const toRunners = createCaller()
  const verdicts: { runnerId: string; verdict: string; reason: string }[] = []
  const onRunnerVerdict: GatewayDeps['onRunnerVerdict'] = (runnerId, verdict, reason) =>
    void verdicts.push({ runnerId, verdict, reason })
  const workflows = createWorkflows({
    store,
    apps,
    homes,
    blobs,
    logs,
    clock,
    log: silent,
    caller: toRunners,
    accepting: () => true,
    cancel: (requestId) => dispatcher.cancel(requestId),
  })
  await workflows.open()
  const { caller } = workflows
  const shared = { store, homes, apps, caller, blobs, clock, log: silent, onRunnerVerdict }
  const dispatcher = startDispatcher({
    ...shared,
    random: () => 0.5,
    limits: { resultBytes: 1_000_000, connectTimeoutMs: 5_000 },
  })
  let port = 0
  const gateway = createGateway({
    ...shared,
    rejected: noneRejected(),
    keyring,
    callTokens,
    logs,
    names: () => ({ hosts: ['localhost', '127.0.0.1'], port }),
    limits: { bodyBytes: 1_000_000, queueLength: 1_000, connectTimeoutMs: 5_000, ...socketLimits },
    cancel: (requestId) => dispatcher.cancel(requestId),
    mayCallBack: publicOr([]),
    startFailureOf: () => undefined,
    accepting: () => true,
    ...options,
  })
  const server = createServer((req, res) => {
    if (!gateway.handle(req, res)) res.writeHead(418).end(`rest ${req.url}`)
  })
  server.on('upgrade', (req, socket, head) => gateway.upgrade(req, socket, head))
  ;({ port } = await listen(server))
  const keys = {
    ann: formatKey(await keyring.mint('account-ann', presets.ADMIN, 'ann')),
    bob: formatKey(await keyring.mint('account-bob', presets.API, 'bob')),
    reader: formatKey(await keyring.mint('account-ann', ['apps:read'], 'reader')),
  }
  const runners: TestRunner[] = []

  async function serveBy(
    app: TestApp,
    listener: RequestListener,
    upgrade?: AppOptions['upgrade'],
  ): Promise<ServingRunner> {
    const runner = await openTestRunner(listener, upgrade)
    runners.push(runner)
    const serving = { id: `runner-${runners.length}`, revisionId: `revision-${app.name}`, address: runner.address }
    app.home.setRunners([serving])
    return serving
  }

  async function addApp(
    name: string,
    { authMode = 'private', runner, upgrade, ...rest }: AppOptions = {},
  ): Promise<TestApp> {
    const all = { ...scale, ...rest.scale }
    await store.commit(
      registerRevision(
        { id: `app-${name}`, accountId: 'account-ann', name, environment: 'main' },
        {
          ...spec,
          scale: all,
          privateLogs: rest.privateLogs ?? false,
          metadata: { openapi: rest.openapi },
          ...(rest.isOwnServer === true ? { callable: { serves: 'image' } as const, exposedPort: 80 } : {}),
        },
        { revisionId: `revision-${name}`, strategy: 'recreate', scale: all, basedOn: all, authMode, now: clock.now() },
      ),
    )
    await apps.refresh()
    const home = homes.of(`app-${name}`)
    home.setMultiplexing(all.max_multiplexing)
    const app = { id: `app-${name}`, name, home }
    if (runner) await serveBy(app, runner, upgrade)
    return app
  }

  /** Makes a workflow of ann's that everybody with a key may call. */
  async function addWorkflowNamed(name: string, nodes: object, output: unknown): Promise<void> {
    const workflow = { title: name, contents: { nodes, output } }
    const app = { id: `workflow-${name}`, accountId: 'account-ann', name: workflowAlias(name) }
    const first = { revisionId: `revision-of-${name}`, authMode: 'shared', now: clock.now() } as const
    await store.commit(addWorkflow(app, { ...first, spec: { ...spec, workflow, privateLogs: true } }))
    await apps.refresh()
    await workflows.open()
  }

  return {
    store,
    apps,
    homes,
    logs,
    addWorkflow: addWorkflowNamed,
    clock,
    keyring,
    callTokens,
    keys,
    verdicts,
    port,
    addApp,
    serveBy,
    idle: gateway.idle.bind(gateway),
    flush: dispatcher.flush.bind(dispatcher),
    url: `http://127.0.0.1:${port}`,
    /** A request with ann's key, unless another one, or null for none, is given. */
    fetch: (path: string, { key = keys.ann, ...init }: RequestInit & { key?: string | null } = {}) => {
      const headers = new Headers(init.headers)
      if (key !== null) headers.set('authorization', `Key ${key}`)
      return fetch(`http://127.0.0.1:${port}${path}`, { redirect: 'manual', ...init, headers })
    },
    async [Symbol.asyncDispose]() {
      await close(server)
      workflows.close()
      await dispatcher.stop({ graceMs: 0 })
      await caller.close()
      for (const runner of runners) await runner[Symbol.asyncDispose]()
      await logs.close()
      await store.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
