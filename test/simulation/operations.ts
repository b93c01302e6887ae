import type { App, DeploymentStrategy } from '../../packages/server/src/domain/app.ts'
import { queueDefaults } from '../../packages/server/src/domain/queue-settings.ts'
import type { HealthCheck } from '../../packages/server/src/domain/revision.ts'
import { renewalOf } from '../../packages/server/src/domain/rollout.ts'
import { changedScale, type ScaleChanges } from '../../packages/server/src/domain/scale.ts'
import {
  deleteApp,
  queueOfApp,
  setFreezeAfter,
  updateQueue,
  updateScale,
} from '../../packages/server/src/store/apps.ts'
import { setNextRevision } from '../../packages/server/src/store/next-revisions.ts'
import { maintenances } from '../../packages/server/src/store/maintenance.ts'
import { registerTestRevision } from '../../packages/server/src/testing/scheduler.ts'
import { machineIds } from './machines.ts'
import type { Server } from './server.ts'
import type { World } from './world.ts'

/** What people and fate do to the platform, each with how often it comes beside the others. */
type Operation = (world: World, server: Server) => Promise<void> | void

const operations: readonly (readonly [weight: number, name: string, run: Operation])[] = [
  [14, 'deploy', deploy],
  [8, 'set-rev', setRevision],
  [14, 'scale', scale],
  [6, 'roll out', rollOut],
  [6, 'set when runners are frozen', freeze],
  [
    5,
    'stop a runner',
    (world, server) => onRunner(world, (id) => server.scheduler.stopRunner(id, { replaceFirst: false })),
  ],
  [
    5,
    'replace a runner',
    (world, server) => onRunner(world, (id) => server.scheduler.stopRunner(id, { replaceFirst: true })),
  ],
  [5, 'kill a runner', (world, server) => onRunner(world, (id) => server.scheduler.killRunner(id))],
  [3, 'pause or resume', pause],
  [2, 'delete an app', remove],
  [3, 'lose a machine', (world) => world.note(`${world.machines.lose()} runners are gone with their machine`)],
  [3, 'kill the server', (world) => world.crash()],
  [4, 'restart the server', (world) => world.restart()],
  [4, 'drain a machine', drainMachine],
  [2, 'fill the disk', fillDisk],
]
const total = operations.reduce((sum, [weight]) => sum + weight, 0)

/** Does one of them. */
export function operate(world: World): void {
  const { server } = world
  if (server === undefined) return
  let at = world.chance.next() * total
  const chosen = operations.find(([weight]) => (at -= weight) < 0) ?? operations[0]!
  world.note(chosen[1])
  world.do(Promise.resolve(chosen[2](world, server)))
}

/** The first revision of an app, which always starts. */
export async function createApp(world: World, name: string, said: ScaleChanges): Promise<void> {
  const { server } = world
  if (server === undefined) return
  const revision = `${name}-${world.time.now()}`
  await registerTestRevision(server.store, { app: name, revision, scale: said, ...checked(world) }, world.time.now())
  await server.apps.refresh()
}

async function deploy(world: World, server: Server): Promise<void> {
  const { chance, time, machines } = world
  const app = pickApp(world)
  if (app === undefined) return
  const revision = `${app.id}-${time.now()}`
  const strategy: DeploymentStrategy = chance.next() < 0.6 ? 'rolling' : 'recreate'
  // A bad one is not put in place of what works, except by a rolling deploy, which finds out.
  if (strategy === 'rolling' && chance.next() < 0.3) machines.bad.add(revision)
  world.note(`${strategy} deploy of ${revision}${machines.bad.has(revision) ? ', whose runners never start' : ''}`)
  const next = { app: app.name, revision, strategy, scale: app.scale, ...checked(world) }
  await registerTestRevision(server.store, next, time.now())
  await server.apps.refresh()
}

/** Half of the revisions declare a health check. */
function checked({ chance }: World): { readonly healthCheck?: HealthCheck } {
  if (chance.next() < 0.5) return {}
  const asked = { path: '/health', method: 'GET', timeoutSeconds: 5, callRegularly: true } as const
  return { healthCheck: { ...asked, startPeriodSeconds: 30, failureThreshold: chance.between(1, 3) } }
}

async function setRevision(world: World, server: Server): Promise<void> {
  const { chance, time, memory, machines } = world
  const app = pickApp(world)
  if (app === undefined) return
  const all = memory.rows('select id from revision where app_id = ? and deleted_at is null', [app.id])
  const revisionId = String(chance.pick(all)['id'])
  const strategy = machines.bad.has(revisionId) || chance.next() < 0.5 ? 'rolling' : 'recreate'
  world.note(`${strategy} set-rev to ${revisionId}`)
  const next = { revisionId, strategy, scale: app.scale, basedOn: app.scale, now: time.now() } as const
  await server.store.commit(setNextRevision(app.id, next))
  await server.apps.refresh()
}

async function scale(world: World, server: Server): Promise<void> {
  const app = pickApp(world)
  if (app === undefined) return
  const said = anyScale(world)
  world.note(`scale ${app.id} ${JSON.stringify(said)}`)
  const rolling = app.rollingScale && changedScale(app.rollingScale, said)
  await server.store.commit(updateScale(app, changedScale(app.scale, said), rolling, world.time.now()))
  await server.apps.refresh()
}

async function freeze(world: World, server: Server): Promise<void> {
  const app = pickApp(world)
  if (app === undefined) return
  const seconds = world.chance.pick([0, 1, 1, 5, 60, null])
  world.note(`${app.id} is frozen after ${seconds} s`)
  await server.store.commit(setFreezeAfter(app.id, seconds, world.time.now()))
  await server.apps.refresh()
}

/** Values that may be said together, most of them small. */
export function anyScale({ chance }: World): ScaleChanges {
  const max = chance.between(1, 8)
  return {
    max_concurrency: max,
    min_concurrency: chance.next() < 0.5 ? 0 : chance.between(0, Math.min(2, max)),
    concurrency_buffer: chance.next() < 0.7 ? 0 : chance.between(0, 2),
    concurrency_buffer_perc: chance.next() < 0.8 ? 0 : chance.between(10, 100),
    keep_alive: chance.pick([0, 1, 10, 60, 300]),
    scaling_delay: chance.pick([0, 0, 0, 5, 30]),
    max_multiplexing: chance.pick([1, 1, 1, 2, 4]),
    startup_timeout: chance.pick([20, 60, 600]),
    request_timeout: chance.pick([60, 300, 3_600]),
    machine_types: chance.pick([['S'], ['S'], ['GPU-H100'], ['GPU-B200', 'GPU-H100', 'S']]),
    num_gpus: chance.between(1, 2),
    valid_regions: chance.pick([[], [], [], ['eu-west'], ['us-east', 'eu-west']]),
  }
}

async function rollOut(world: World, server: Server): Promise<void> {
  const app = pickApp(world)
  if (app === undefined) return
  const force = world.chance.next() < 0.3
  world.note(`${force ? 'forced' : 'gentle'} rollout of ${app.id}`)
  for (const runner of await server.scheduler.listing('account-1')) {
    if (runner.appId !== app.id) continue
    const how = renewalOf(runner, { active: app.revisionId, force })
    if (how === 'kill') world.do(server.scheduler.killRunner(runner.id))
    if (how === 'replace') world.do(server.scheduler.stopRunner(runner.id, { replaceFirst: true }))
  }
}

async function onRunner(world: World, wish: (id: string) => Promise<void>): Promise<void> {
  const { alive } = world.machines
  if (alive.length === 0) return
  const { spec, port, sighting } = world.chance.pick(alive)
  world.note(`runner ${port} of ${spec.appId}, which is ${sighting.kind}`)
  await wish(spec.id)
}

/** For ten minutes at most: paused queues do not wait for somebody's memory. */
async function pause(world: World): Promise<void> {
  const app = pickApp(world)
  if (app === undefined) return
  await setPaused(world, app.id, true)
  world.time.after(world.chance.between(1_000, 600_000), () => world.do(setPaused(world, app.id, false)))
}

/** Whatever else happens: it is tried until it is so. */
export async function setPaused(world: World, appId: string, paused: boolean): Promise<void> {
  for (;;) {
    const { server, memory, time } = world
    const was = memory.look(queueOfApp(appId))
    if (was === undefined || was.queue.paused === paused) return
    const write = updateQueue(appId, was, { ...queueDefaults, paused }, time.now())
    // A server that is killed answers nothing, and a full disk refuses.
    const tried = server === undefined ? Promise.resolve() : server.store.commit(write).catch(() => {})
    await Promise.race([tried, time.rest(100)])
    await Promise.race([world.server?.apps.refresh(), time.rest(1_000)])
  }
}

/** Another app takes its place, a while later. */
async function remove(world: World, server: Server): Promise<void> {
  const app = pickApp(world)
  if (app === undefined) return
  world.note(`delete ${app.id}`)
  await server.store.commit(deleteApp(app.id, world.time.now()))
  await server.apps.refresh()
}

/** For half an hour at most; some at a deadline, some at once. */
async function drainMachine(world: World, server: Server): Promise<void> {
  const { chance, time, machines } = world
  const { alive } = machines
  const machineId = alive.length === 0 ? chance.pick(machineIds) : chance.pick(alive).machine // an empty one shows little
  const now = time.now()
  const deadlineMs = chance.pick([undefined, 0, 60_000])
  const deadline = deadlineMs === undefined ? {} : { deadline: now + deadlineMs }
  world.note(
    `${machineId} goes into maintenance${deadlineMs === undefined ? '' : `, and is empty in ${deadlineMs} ms`}`,
  )
  await server.scheduler.maintain({ machineId, since: now, ...deadline })
  const emptyBy = deadlineMs === undefined ? Infinity : now + deadlineMs
  machines.closed.set(machineId, { since: time.now(), emptyBy })
  time.after(chance.between(60_000, 1_800_000), () => world.do(undrain(world, machineId)))
}

/** Whatever else happens: it is tried until it is so. */
export async function undrain(world: World, machineId: string): Promise<void> {
  for (;;) {
    const { server, time, machines } = world
    machines.closed.delete(machineId)
    if (world.memory.look(maintenances()).every((each) => each.machineId !== machineId)) return
    const tried = server?.scheduler.endMaintenance(machineId).catch(() => {})
    await Promise.race([tried ?? time.rest(1_000), time.rest(60_000)])
    await time.rest(1_000)
  }
}

function fillDisk({ memory, time, chance }: World): void {
  memory.isFull = true
  time.after(chance.between(100, 5_000), () => (memory.isFull = false))
}

function pickApp(world: World): App | undefined {
  const apps = world.apps.filter(({ active }) => active?.spec.run === undefined) // nobody deploys to what calls functions
  return apps.length === 0 ? undefined : world.chance.pick(apps).app
}
