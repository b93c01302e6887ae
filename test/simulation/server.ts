import { createFunctions } from '../../packages/server/src/api/runs/functions.ts'
import type { Functions } from '../../packages/server/src/api/runs/function-call.ts'
import { createKeyring } from '../../packages/server/src/access/memory-keyring.ts'
import type { LastingBlobs } from '../../packages/server/src/blobs/blob-store.ts'
import { startDispatcher, type Dispatcher } from '../../packages/server/src/dispatcher/dispatcher.ts'
import type { Hardware } from '../../packages/server/src/domain/hardware.ts'
import type { AppId } from '../../packages/server/src/domain/ids.ts'
import type { Apps } from '../../packages/server/src/home/apps.ts'
import { Budgets } from '../../packages/server/src/home/budgets.ts'
import type { Homes } from '../../packages/server/src/home/home.ts'
import { createHomes } from '../../packages/server/src/home/memory-home.ts'
import { createApps } from '../../packages/server/src/home/store-apps.ts'
import type { Logger } from '../../packages/server/src/kit/logger.ts'
import { startScheduler } from '../../packages/server/src/scheduler/platform-scheduler.ts'
import type { Scheduler } from '../../packages/server/src/scheduler/scheduler.ts'
import type { Store } from '../../packages/server/src/store/store.ts'
import { testLaunch } from '../../packages/server/src/testing/scheduler.ts'
import type { Chance } from '../crash/chance.ts'
import type { Machines } from './machines.ts'
import type { MemoryStore } from './memory-store.ts'
import type { VirtualTime } from './virtual-time.ts'

export interface ServerParts {
  readonly time: VirtualTime
  readonly chance: Chance
  readonly memory: MemoryStore
  readonly machines: Machines
  readonly hardware: Hardware
  readonly log: Logger
  readonly serviceMs: (appId: AppId) => number
}

/** One life of a server: the real parts of the control loop. What it keeps in memory is gone with it. */
export interface Server {
  readonly store: Store
  readonly apps: Apps
  readonly homes: Homes
  readonly scheduler: Scheduler
  readonly dispatcher: Dispatcher
  readonly functions: Functions
  /** True while it goes down as planned: then it takes nothing in. */
  isDraining: boolean
  readonly since: number
  /** As by `kill -9`: nothing of it does anything any more. */
  crash(): void
}

const blobs: LastingBlobs = {
  put: () => Promise.reject(new Error('every body is small')),
  open: () => Promise.reject(new Error('every body is small')),
  pathOf: () => '',
  patient: () => blobs,
}

/** Resolves when it serves: what a former life left behind has ended by then. */
export async function startServer(parts: ServerParts): Promise<Server> {
  const { time, chance, memory, machines, hardware, log, serviceMs } = parts
  const ended = new AbortController()
  const store = memory.connect(ended.signal)
  const apps = await createApps(store)
  const homes = createHomes({ clock: time, apps, limits: { waitingCallers: 10_000 } })
  const keyring = await createKeyring(store, time)
  const backend = machines.connect(ended.signal)
  const logs = { append: () => {}, tail: () => [] }
  const shared = { store, homes, apps, keyring, clock: time, log }
  const scheduler = await startScheduler({
    ...shared,
    backend,
    hardware,
    budgets: new Budgets(),
    logs,
    probe: machines.probe,
    launch: async (start) => {
      if (start.runner.placement) machines.placements.set(start.runner.id, start.runner.placement)
      return testLaunch(start)
    },
    everyMs: 2_000,
    freezeAfterSeconds: 30,
  })
  const caller = machines.caller(ended.signal, serviceMs)
  const functions = createFunctions({
    ...shared,
    caller,
    logs,
    runners: scheduler,
    jobKeyOf: (id) => id,
    limits: { resultBytes: 1_000, connectTimeoutMs: 1_000 },
  })
  const dispatcher = startDispatcher({
    ...shared,
    blobs,
    caller,
    onRunnerVerdict: scheduler.verdict.bind(scheduler),
    random: () => chance.next(),
    limits: { resultBytes: 1_000, connectTimeoutMs: 1_000 },
  })
  await dispatcher.recover()
  const crash = (): void => {
    ended.abort()
    time.dropServerTimers()
  }
  return { store, apps, homes, scheduler, dispatcher, functions, isDraining: false, since: time.now(), crash }
}
