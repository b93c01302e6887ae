import { runnersFor } from '../../packages/server/src/domain/scaling.ts'
import { Checks } from './checks.ts'
import { machineIds, noFaults, type Faults } from './machines.ts'
import { operate, setPaused, undrain } from './operations.ts'
import { startTraffic } from './traffic.ts'
import { World } from './world.ts'

export interface Play {
  readonly seed: string
  readonly days: number
}

/** What came of it, and what there was of it. `broken` is empty when every promise was kept. */
export interface Played {
  readonly broken: readonly string[]
  /** The last things that happened. */
  readonly events: readonly string[]
  readonly queued: number
  readonly direct: number
  readonly executions: number
  readonly starts: number
  readonly freezes: number
  readonly commits: number
  readonly functions: number
  readonly crashes: number
  readonly restarts: number
  readonly operations: number
}

const dayMs = 24 * 3_600_000
const hourMs = 3_600_000
const lookEveryMs = 10_000
const operationEveryMs = 20 * 60_000
/** Longer than any wait for a start, any request and any keep-alive. */
const calmMs = 4 * hourMs

const usualFaults: Faults = {
  refused: 0.01,
  crashedStart: 0.05,
  hungStart: 0.01,
  deafToTerm: 0.03,
  hungCall: 0.003,
  stoppedByApp: 0.01,
  crashPerHour: 0.2,
  illPerHour: 0.1,
  failedCheck: 0.01,
  listFails: 0.002,
  noFreeze: 0.01,
  noThaw: 0.005,
  untold: 0.02,
}

/** Plays so many days with all that can go wrong, then lets everything come to rest. The same seed plays the same. */
export async function simulate({ seed, days }: Play): Promise<Played> {
  const world = new World(seed, { ...usualFaults })
  const { time, chance, machines, memory } = world
  const uninstall = time.install()
  const stopped = (event: unknown): void => world.break(`nobody caught: ${String(event)}`)
  process.on('unhandledRejection', stopped)
  try {
    const checks = new Checks(world)
    let isOver = false
    let operations = 0
    const look = (): void => {
      world.do(checks.look())
      time.after(lookEveryMs, look)
    }
    const next = (): void => {
      if (isOver) return
      operations += 1
      operate(world)
      time.after(-Math.log(1 - chance.next()) * operationEveryMs, next)
    }
    const stopTraffic = startTraffic(world)
    world.do(world.start())
    look()
    next()
    const pass = async (ms: number): Promise<void> => {
      const end = time.now() + ms
      while (time.now() < end && world.broken.length === 0)
        await time.passUntil(Math.min(end, time.now() + hourMs), () => checks.afterEach())
    }
    await pass(days * dayMs)
    stopTraffic()
    isOver = true
    machines.faults = noFaults
    machines.bad.clear()
    for (const { app } of world.apps) world.do(setPaused(world, app.id, false))
    for (const machineId of machineIds) world.do(undrain(world, machineId))
    await pass(calmMs)
    if (world.broken.length === 0) atRest(world)
    const [deeds, commits] = [machines.deeds, memory.commits]
    await pass(calmMs)
    if (world.broken.length === 0 && (machines.deeds > deeds || memory.commits > commits))
      world.break(`it does not come to rest: ${machines.deeds - deeds} deeds, ${memory.commits - commits} commits`)
    world.server?.crash()
    return {
      broken: world.broken,
      events: world.events,
      ...world.counts,
      executions: machines.calls,
      starts: machines.starts,
      freezes: machines.freezes,
      commits: memory.commits,
      operations,
    }
  } finally {
    process.off('unhandledRejection', stopped)
    uninstall()
  }
}

/** When nothing comes any more, every app has just the runners that the formula says, and every request its outcome. */
function atRest(world: World): void {
  const { machines, memory, apps } = world
  for (const { app, active } of apps) {
    if (active?.spec.run !== undefined) world.break(`${app.id}, which called functions, is left`)
    if (app.rollingRevisionId !== undefined) world.break(`the deploy of ${app.rollingRevisionId} does not end`)
    const own = machines.alive.filter(({ spec }) => spec.appId === app.id)
    const wanted = active === undefined ? 0 : runnersFor(app.scale, 0)
    const right = own.filter(({ spec, sighting }) => spec.revisionId === active?.id && sighting.kind === 'accepting')
    if (own.length !== wanted || right.length !== wanted)
      world.break(`${app.id} has ${own.length} runners, ${right.length} of them serving its revision, ${wanted} wanted`)
  }
  const known = new Set(apps.map(({ app }) => app.id))
  const stray = machines.alive.filter(({ spec }) => !known.has(spec.appId))
  if (stray.length > 0) world.break(`${stray.length} runners are left of apps that are gone`)
  const [open] = memory.rows(`select count(*) as open from request where state <> 'completed'`)
  if (open?.['open'] !== 0) world.break(`${String(open?.['open'])} acknowledged requests have no outcome`)
  inOrder(world)
}

/** First in, first out within an app and a priority, for requests that were never retried (design §4.5). */
function inOrder(world: World): void {
  const started = world.memory.rows(
    `select id, app_id, priority, started_at from request
      where attempt = 1 and started_at is not null order by app_id, priority, seq`,
  )
  for (const [at, row] of started.entries()) {
    const before = started[at - 1]
    if (before === undefined) continue
    if (before['app_id'] !== row['app_id'] || before['priority'] !== row['priority']) continue
    if (Number(before['started_at']) > Number(row['started_at']))
      world.break(`${String(before['id'])} began after ${String(row['id'])}, which came later`)
  }
}
