// control-loop-run.ts with|without SECONDS: 1,000 apps, 10,000 runners that are only said to be, and calls that take a slot
// and give it back; with the real scheduler, store, homes and keys, or without a scheduler: then homes have their runners
// from this script. Prints what the main thread and the whole process spent on the processor meanwhile, as one JSON line.
import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as rest } from 'node:timers/promises'
import { createKeyring } from '../packages/server/src/access/memory-keyring.ts'
import { Budgets } from '../packages/server/src/home/budgets.ts'
import { createHomes } from '../packages/server/src/home/memory-home.ts'
import { createApps } from '../packages/server/src/home/store-apps.ts'
import { systemClock } from '../packages/server/src/kit/clock.ts'
import { createLogger } from '../packages/server/src/kit/logger.ts'
import { startScheduler } from '../packages/server/src/scheduler/platform-scheduler.ts'
import { FakeBackend } from '../packages/server/src/testing/fake-backend.ts'
import { testHardware } from '../packages/server/src/testing/hardware.ts'
import { registerTestRevision, testLaunch } from '../packages/server/src/testing/scheduler.ts'
import { addTestAccount, openTestStore } from '../packages/server/src/testing/store.ts'
import { chanceOf } from '../test/crash/chance.ts'

const [how = 'with', seconds = '20'] = process.argv.slice(2)
const callsPer10Ms = 5
const goneEveryMs = 200
const chance = chanceOf('control loop')
const clock = systemClock()
const forever = new AbortController().signal

/** Ten apps with 100 runners and 960 with nine or ten; 30 have none until somebody calls. */
const floors = Array.from({ length: 1_000 }, (_, at) => (at < 10 ? 100 : at < 370 ? 10 : at < 970 ? 9 : 0))
const wanted = floors.reduce<number>((sum, floor) => sum + floor, 0)

const store = await openTestStore()
await addTestAccount(store)
for (const [at, floor] of floors.entries()) {
  const scale = { min_concurrency: floor, max_concurrency: floor + 10, keep_alive: 1 }
  await registerTestRevision(store, { app: `app-${at}`, revision: `revision-${at}`, scale }, clock.now())
}
const apps = await createApps(store)
const homes = createHomes({ clock, apps, limits: { waitingCallers: 1_000 } })
const backend = new FakeBackend()
const serving = new Set<string>()

if (how === 'with') await startWithScheduler()
else giveRunners()
let calls = 0
setInterval(() => {
  for (let each = 0; each < callsPer10Ms; each += 1) void call(`app-${chance.between(0, floors.length - 1)}`)
}, 10)
await rest(3_000)

const [began, own, all] = [performance.now(), process.threadCpuUsage(), process.cpuUsage()]
const [started, called] = [backend.started.length, calls]
await rest(Number(seconds) * 1_000)
const wall = (performance.now() - began) / 1_000
const share = ({ user, system }: { user: number; system: number }) => (user + system) / 1_000_000 / wall
console.log(
  JSON.stringify({
    thread: share(process.threadCpuUsage(own)),
    process: share(process.cpuUsage(all)),
    starts: (backend.started.length - started) / wall,
    calls: (calls - called) / wall,
    runners: serving.size,
  }),
)
await rm(dirname(store.file), { recursive: true }) // a tidy end would take longer than the question
process.exit(0)

/** Runners need a moment until they serve; ten a second crash, and others take their place. */
async function startWithScheduler(): Promise<void> {
  const keyring = await createKeyring(store, clock)
  const logs = { append: () => {}, tail: () => [] }
  const log = createLogger('error')
  const begun = new Set<string>()
  backend.onChange((id) => {
    if (backend.hasEnded(id)) serving.delete(id)
    else if (!begun.has(id)) setTimeout(() => (backend.accept(id), serving.add(id)), chance.between(20, 200))
    begun.add(id)
  })
  const hardware = testHardware()
  await startScheduler({
    store,
    homes,
    apps,
    backend,
    hardware,
    keyring,
    logs,
    launch: testLaunch,
    clock,
    log,
    budgets: new Budgets(),
    everyMs: 2_000,
  })
  while (serving.size < wanted) await rest(100)
  setInterval(() => {
    const [oldest] = serving
    if (oldest !== undefined) backend.exit(oldest, { code: 1, signal: null })
  }, goneEveryMs)
}

function giveRunners(): void {
  for (const [at, floor] of floors.entries()) {
    const ids = Array.from({ length: Math.max(1, floor) }, (_, n) => `${at} ${n}`)
    const address = { host: '127.0.0.1', port: 1 }
    homes.of(`app-${at}`).setRunners(ids.map((id) => ({ id, revisionId: `revision-${at}`, address })))
  }
}

async function call(appId: string): Promise<void> {
  const slot = await homes.of(appId).acquire(`call-${(calls += 1)}`, forever)
  setTimeout(() => slot.release(), chance.between(10, 200))
}
