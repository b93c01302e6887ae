import { createKeyring } from '../access/memory-keyring.ts'
import type { App, DeploymentStrategy } from '../domain/app.ts'
import type { Hardware } from '../domain/hardware.ts'
import type { AppId, RevisionId, RunnerId } from '../domain/ids.ts'
import type { HealthCheck, RevisionSpec } from '../domain/revision.ts'
import type { Runner } from '../domain/runner.ts'
import { scaleInCode, type ScaleChanges } from '../domain/scale.ts'
import type { Slot } from '../home/home.ts'
import { Budgets } from '../home/budgets.ts'
import { createHomes } from '../home/memory-home.ts'
import { createApps } from '../home/store-apps.ts'
import { silent } from '../kit/logger.ts'
import type { LogLine } from '../logs/log-store.ts'
import type { Launch } from '../scheduler/launch.ts'
import { startScheduler } from '../scheduler/platform-scheduler.ts'
import type { Scheduler } from '../scheduler/scheduler.ts'
import { appByName } from '../store/apps.ts'
import { registerRevision, type NextRevision } from '../store/next-revisions.ts'
import { runnerById } from '../store/runners.ts'
import type { Store } from '../store/store.ts'
import { manualClock } from './clock.ts'
import { FakeBackend } from './fake-backend.ts'
import { testHardware } from './hardware.ts'
import { addTestAccount, openTestStore, type TestStore } from './store.ts'

/** What the fake backend is told. */
export const testLaunch: Launch = async ({ runner, key }) => ({
  spec: {
    id: runner.id,
    appId: runner.appId,
    revisionId: runner.revisionId,
    accountId: runner.accountId,
    command: ['serve'],
    variables: { FAL_KEY: `${key.credentials.keyId}:${key.credentials.secret}` },
    mounts: [],
  },
  hidden: [key.credentials.secret],
})

export function testSpec(said: ScaleChanges = {}, grace = 5): RevisionSpec {
  return {
    environment: { kind: 'virtualenv', pythonVersion: '3.11', layers: [], compileBytecode: true },
    environmentId: 'environment-1',
    callable: { method: 'dill', blob: 'blob-1' },
    scale: scaleInCode(said),
    terminationGracePeriodSeconds: grace,
    skipRetryConditions: [],
    retryBudgets: {},
    privateLogs: false,
    metadata: {},
  }
}

export interface Deploy {
  readonly app?: string
  readonly revision: RevisionId
  readonly strategy?: DeploymentStrategy
  readonly scale?: ScaleChanges
  readonly healthCheck?: HealthCheck
  /** What else of the revision counts. */
  readonly spec?: Partial<RevisionSpec>
}

/** A scheduler with real store, homes, keys and apps, a fake backend, and a clock that stands still. */
export async function openTestScheduler(
  given: { store?: TestStore; backend?: FakeBackend; hardware?: Hardware; launch?: Launch } = {},
) {
  const store = given.store ?? (await openTestStore())
  if (!given.store) await addTestAccount(store)
  const backend = given.backend ?? new FakeBackend()
  const clock = manualClock(1_800_000_000_000)
  const apps = await createApps(store)
  const homes = createHomes({ clock, apps, limits: { waitingCallers: 1_000 } })
  const keyring = await createKeyring(store, clock)
  const lines: LogLine[] = []
  const logs = {
    append: (line: LogLine) => void lines.push(line),
    tail: (id: RunnerId, limit: number) => lines.filter(({ runnerId }) => runnerId === id).slice(-limit),
  }
  const hardware = given.hardware ?? testHardware()
  const around = { store, homes, apps, backend, keyring, logs, clock, log: silent }
  const budgets = new Budgets()
  const parts = { ...around, hardware, budgets, launch: given.launch ?? testLaunch, everyMs: 60_000 }
  const scheduler = await startScheduler(parts)
  let calls = 0

  return {
    ...parts,
    scheduler,
    lines,
    /** Registers a revision, and waits until the scheduler has looked at it. */
    async deploy(deploy: Deploy): Promise<AppId> {
      const id = await registerTestRevision(store, deploy, clock.now())
      await apps.refresh()
      await settled(scheduler)
      return id
    },
    /** Lets time pass, and the scheduler look. */
    async pass(ms: number): Promise<void> {
      clock.advance(ms)
      await settled(scheduler)
    },
    settled: () => settled(scheduler),
    /** A direct call: it holds its slot until it is ended. */
    call(appId: AppId = 'hello'): Call {
      return new Call(homes.of(appId).acquire(`request-${(calls += 1)}`, new AbortController().signal))
    },
    async accept(...ids: readonly RunnerId[]): Promise<void> {
      for (const id of ids) backend.accept(id)
      await settled(scheduler)
    },
    stored: async (id: RunnerId): Promise<Runner | undefined> => store.read(runnerById(id)),
    app: async (name = 'hello'): Promise<App | undefined> => store.read(appByName('account-1', name)),
    async [Symbol.asyncDispose]() {
      await scheduler.stop({ graceMs: 0 })
      if (!given.store) await store.close()
    },
  }
}

/** Several looks: a later one sees what the deeds of an earlier one led to. */
async function settled(scheduler: Scheduler): Promise<void> {
  for (let look = 0; look < 3; look += 1) {
    await scheduler.look()
    await new Promise((resolve) => setImmediate(resolve))
  }
  await scheduler.look()
}

/** A call that waits for a slot, or has one. */
export class Call {
  slot: Slot | undefined

  constructor(acquired: Promise<Slot>) {
    void acquired.then((slot) => (this.slot = slot))
  }

  end(): void {
    this.slot?.release()
    this.slot = undefined
  }
}

/** Stores a revision and makes it the next one of its app, as a deploy does. */
export async function registerTestRevision(
  store: Store,
  { app: name = 'hello', revision: revisionId, strategy = 'recreate', scale = {}, healthCheck, spec: more }: Deploy,
  now: number,
): Promise<AppId> {
  const spec: RevisionSpec = { ...testSpec(scale), ...(healthCheck ? { healthCheck } : {}), ...more }
  const live = await store.read(appByName('account-1', name))
  const app = live ?? { id: name, accountId: 'account-1', name, environment: 'main' }
  const basedOn = live?.scale ?? spec.scale
  const next: NextRevision = { revisionId, strategy, scale: spec.scale, basedOn, now }
  if (!(await store.commit(registerRevision(app, spec, { ...next, authMode: 'private' }))))
    throw new Error('not stored')
  return app.id
}
