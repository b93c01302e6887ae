import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http2'
import type { Http2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@connectrpc/connect'
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node'
import { IsolateController } from '@carrick/protocol/gen/controller_pb.js'
import { formatKey } from '../access/credentials.ts'
import { createCallTokens } from '../access/call-tokens.ts'
import { createKeyring } from '../access/memory-keyring.ts'
import { createSigner } from '../access/signer.ts'
import { createUploadTokens } from '../access/upload-tokens.ts'
import { createVault } from '../access/vault.ts'
import type { Builds, Deps, Runners } from '../api/deps.ts'
import type { Functions } from '../api/runs/function-call.ts'
import { createGrpcHandler } from '../api/grpc/grpc.ts'
import { createRest } from '../api/rest/rest.ts'
import { createUsageKeeper } from '../api/usage/keeper.ts'
import type { RunResult } from '../domain/run-value.ts'
import { openLocalBlobs } from '../blobs/local-blobs.ts'
import { openObjectFiles } from '../blobs/object-files.ts'
import { baseUrl } from '../domain/addresses.ts'
import { CarrickError } from '../domain/errors.ts'
import type { Decisions } from '../domain/decision.ts'
import type { RunnerId } from '../domain/ids.ts'
import { presets } from '../domain/permissions.ts'
import type { Maintenance } from '../domain/maintenance.ts'
import type { RunnerView } from '../domain/runner-view.ts'
import { openAccountFiles } from '../files/account-files.ts'
import { DataQuotas } from '../files/data-quotas.ts'
import { createFetch } from '../files/fetch-from.ts'
import { openUploads } from '../files/uploads.ts'
import { Budgets } from '../home/budgets.ts'
import { createHomes } from '../home/memory-home.ts'
import { createApps } from '../home/store-apps.ts'
import { systemClock } from '../kit/clock.ts'
import { silent } from '../kit/logger.ts'
import { noneRejected } from '../kit/rejections.ts'
import { beginInstallation } from '../store/accounts.ts'
import { openLogStore } from '../logs/sqlite-logs.ts'
import { testHardware } from './hardware.ts'
import { addTestAccount, openTestStore } from './store.ts'

const ann = { id: 'account-ann', nickname: 'ann', fullName: 'ann' }

/** What the fakes beside the control plane do, and what was asked of them. */
export interface Script {
  build: Builds['build']
  /** All are ann's. */
  runners: RunnerView[]
  /** What the scheduler decides, and decided lately. */
  decisions: Decisions
  /** What a run does: says lines, and ends. It goes on for ever unless a test says otherwise. */
  run: Runners['followRun']
  /** What running a command beside a runner does. Nothing can be run unless a test says otherwise. */
  exec: Runners['execIn']
  readonly results: Map<RunnerId, RunResult>
  /** What a function brings forth. It goes on for ever unless a test says otherwise. */
  call: Functions['call']
  readonly asked: string[]
}

interface Asked {
  readonly key?: string | null
  readonly method?: string
  readonly body?: string | FormData
  readonly headers?: Record<string, string>
}

export type TestControl = Awaited<ReturnType<typeof openTestControl>>

/**
 * The control plane on a port of its own, before a real store, keyring, apps, blobs and logs. Builds and runners are
 * scripted. The owner is `ann`, whose account is the first; `bob` is somebody else.
 */
export async function openTestControl(options: Partial<Deps> & { readonly messageLimit?: number } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'carrick-control-'))
  const store = await openTestStore()
  await store.commit(beginInstallation('installation', { ...ann, createdAt: 0 }))
  await addTestAccount(store, { id: 'account-bob', nickname: 'bob' })
  const { clock = systemClock() } = options
  const keyring = await createKeyring(store, clock)
  const apps = await createApps(store)
  const homes = createHomes({ clock, apps, keys: keyring, limits: { waitingCallers: 10 } })
  const blobs = await openLocalBlobs({ folder: join(folder, 'blobs') })
  const logs = await openLogStore({ folder: join(folder, 'logs'), clock, log: silent })
  const files = await openAccountFiles({ folder: join(folder, 'data'), keepFree: 0 })
  const quotas = new DataQuotas({ folderOf: (account) => files.folderOf(account), clock, ofServer: 0, everyMs: 1 })
  const script = newScript()
  let port = 0
  const deps: Deps = {
    clock,
    log: silent,
    store,
    apps,
    homes,
    keyring,
    blobs,
    logs,
    vault: createVault({ store, clock, encryptionKey: new Uint8Array(32) }),
    builder: {
      build: (definition, how) => script.build(definition, how),
      has: async () => true,
      placeOf: async (id) => ({ kind: 'folder', path: id }),
    },
    runners: runnersOf(script),
    queues: {
      flush: async (appId, callerId) => {
        script.asked.push(`flush ${apps.byId(appId)?.app.name} of ${callerId ?? 'everybody'}`)
        return 1
      },
    },
    queueLimit: 1_000,
    signer: createSigner({ store, encryptionKey: new Uint8Array(32) }),
    webhooks: { counts: { delivered: 3, again: 2, failed: 1 } },
    functions: { call: (facts, asked) => script.call(facts, asked) },
    files,
    quotas,
    uploads: await openUploads({ folder: join(folder, 'data', '.parts'), staging: files.staging, clock }),
    fetch: createFetch({ allow: ['127.0.0.1/32'], timeoutMs: 10_000 }),
    fileLimits: { bytes: 100_000_000, archiveBytes: 1_000_000, archiveEntries: 1_000 },
    withoutMounts: undefined,
    hardware: testHardware(),
    budgets: new Budgets(),
    results: { take: async (id) => script.results.get(id) },
    server: {
      version: '0.0.0',
      backend: 'process',
      currency: 'EUR',
      confinement: [{ part: 'memory', by: 'cgroup v2' }],
      withoutFreezing: undefined,
      freezeAfterSeconds: 0,
      folder,
      deployCheck: false,
      caPem: 'a CA',
    },
    objects: await openObjectFiles({ folder: join(folder, 'objects') }),
    uploadTokens: createUploadTokens({ keyring, clock, encryptionKey: new Uint8Array(32) }),
    callTokens: createCallTokens({ keyring, clock, encryptionKey: new Uint8Array(32) }),
    storage: { uploadBytes: 1_000_000, retentionMs: Infinity },
    publicUrl: (connection) => baseUrl(connection, { hosts: ['localhost', '127.0.0.1'], port }),
    baseUrl: (connection) => baseUrl(connection, { hosts: ['localhost', '127.0.0.1'], port }),
    isDraining: () => false,
    commits: () => store.stats(),
    swept: () => ({ requests: 0, payloads: 0, runners: 0, blobs: 0, environments: 0 }),
    keepInEngine: undefined,
    engineImages: undefined,
    imageGraceMs: 24 * 3_600_000,
    prunes: [async () => [{ kind: 'cache', name: '/cache/uv', count: 1, bytes: 5 }]],
    rejected: noneRejected(),
    usageKeeper: createUsageKeeper({ store, meter: homes.usage, clock }),
    ...options,
  }
  const door = createRest(deps)
  const server = createServer(createGrpcHandler(deps, { messageLimit: options.messageLimit ?? 10_000_000 }))
  port = await listen(server)
  const sessions: Http2SessionManager[] = []
  const keys = {
    ann: formatKey(await keyring.mint('account-ann', presets.ADMIN, 'ann')),
    annsApi: formatKey(await keyring.mint('account-ann', presets.API, 'api')),
    bob: formatKey(await keyring.mint('account-bob', presets.ADMIN, 'bob')),
  }

  /** A gRPC channel with this key, as the stock client sends it, or without one. */
  function channel(key: string | null = keys.ann) {
    const url = `http://127.0.0.1:${port}`
    const sessionManager = new Http2SessionManager(url)
    sessions.push(sessionManager)
    const [id = '', secret = ''] = key?.split(':') ?? []
    return createGrpcTransport({
      baseUrl: url,
      sessionManager,
      interceptors: [
        (next) => (request) => {
          if (key !== null) request.header.set('auth-key-id', id)
          if (key !== null) request.header.set('auth-key', secret)
          return next(request)
        },
      ],
    })
  }

  return {
    deps,
    store,
    clock,
    apps,
    blobs,
    logs,
    files,
    keyring,
    keys,
    script,
    port,
    channel,
    client: (key?: string | null) => createClient(IsolateController, channel(key)),
    /** A REST answer. */
    async rest(path: string, { key = keys.ann, headers: more = {}, ...asked }: Asked = {}) {
      const headers = { ...(key === null ? {} : { authorization: `Key ${key}` }), ...more }
      const response = await door.request(path, { ...asked, headers })
      const isJson = response.headers.get('content-type')?.startsWith('application/json')
      const body: unknown = await (isJson ? response.json() : response.text())
      return { status: response.status, body }
    },
    /** The same, with headers and a body as they are, and the answer as it is. */
    restRaw: (path: string, asked: RequestInit) => {
      const headers = new Headers(asked.headers)
      headers.set('authorization', `Key ${keys.ann}`)
      return createRest(deps).request(path, { ...asked, headers })
    },
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.abort()
      await new Promise((resolve) => server.close(resolve))
      await logs.close()
      await store.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** An idle runner, as the scheduler lists it. */
export function testRunner(more: Partial<RunnerView> = {}): RunnerView {
  return {
    id: 'runner-1',
    appId: 'app-1',
    appName: 'hello',
    revisionId: 'revision-1',
    state: 'idle',
    inFlight: 0,
    requests: [],
    uptimeSeconds: 1,
    machineType: 'S',
    replacement: 'none',
    ...more,
  }
}

function newScript(): Script {
  return {
    build: async () => 'e'.repeat(64),
    runners: [],
    decisions: { now: { at: 0, there: noRunners, steps: [], blocks: [] }, kept: [] },
    run: forever,
    exec: async () => {
      throw new CarrickError('exec_failed', 'these runners are fakes')
    },
    results: new Map(),
    call: forever,
    asked: [],
  }
}

const noRunners = { pending: 0, starting: 0, idle: 0, busy: 0, ending: 0, finishing: 0 }

const forever = () => new Promise<never>(() => {})

function runnersOf(script: Script): Runners {
  const maintained = new Map<string, Maintenance>()
  return {
    maintained: () => maintained,
    maintain: async (maintenance) => void maintained.set(maintenance.machineId, maintenance),
    endMaintenance: async (machineId) => void maintained.delete(machineId),
    listing: async (account, endedSince) =>
      script.runners.filter(({ state }) => account === ann.id && (state !== 'terminated' || endedSince !== undefined)),
    placed: () =>
      script.runners.flatMap(({ id, appId, placement }) =>
        placement ? [{ id, appId, accountId: ann.id, placement }] : [],
      ),
    stopRunner: async (id, { replaceFirst }) => void script.asked.push(`stop ${id}${replaceFirst ? ' replaced' : ''}`),
    killRunner: async (id) => void script.asked.push(`kill ${id}`),
    usage: async () =>
      new Map(script.runners.map(({ id }) => [id, { cpuSeconds: 1, memoryBytes: 1_048_576 }] as const)),
    execIn: (id, command) => script.exec(id, command),
    decisions: () => script.decisions,
    warm: (appId, revisionId) => void script.asked.push(`warm ${revisionId}`),
    followRun: (appId, say) => script.run(appId, say),
    endRun: (appId) => void script.asked.push(`end run ${appId}`),
  }
}

async function listen(server: Http2Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}
