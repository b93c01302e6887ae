import type { AppId, RunnerId } from '../../packages/server/src/domain/ids.ts'
import type { RunnerView } from '../../packages/server/src/domain/runner-view.ts'
import { runnersFor } from '../../packages/server/src/domain/scaling.ts'
import type { ScaleSettings } from '../../packages/server/src/domain/scale.ts'
import type { SimRunner } from './machines.ts'
import type { World } from './world.ts'

const second = 1_000
/** A look at everything comes each ten seconds; it may fail a few times, and its deeds take a moment. */
const repairMs = 45 * second

interface Cap {
  readonly since: number
  readonly runners: number
  readonly requests: number
}

/** What must hold at every moment, and within which time what may not last has to be over. */
export class Checks {
  readonly #world: World
  readonly #lasting = new Map<string, number>()
  readonly #scales = new Map<AppId, ScaleSettings>()
  readonly #caps = new Map<AppId, Cap[]>()
  readonly #executions = new Map<string, number>()
  #seen = new Set<string>()

  constructor(world: World) {
    this.#world = world
    world.machines.onCall = (requestId, runner) => this.#called(requestId, runner)
  }

  /** After everything that happens. */
  afterEach(): void {
    const { time, apps } = this.#world
    for (const { app } of apps) {
      if (this.#scales.get(app.id) === app.scale) continue
      this.#scales.set(app.id, app.scale)
      const { max_concurrency: runners, max_multiplexing: each } = app.scale
      const caps = this.#caps.get(app.id) ?? []
      this.#caps.set(app.id, [...caps.slice(-5), { since: time.now(), runners, requests: runners * each }])
    }
  }

  /** Now and then: each of these costs a look at everything. */
  async look(): Promise<void> {
    const { server, memory, time } = this.#world
    if (server === undefined || server.isDraining || memory.isFull || time.now() < server.since + repairMs)
      return this.#lasting.clear()
    const views = await server.scheduler.listing('account-1')
    this.#seen = new Set()
    this.#recordsAndRunners(views)
    this.#machines()
    for (const { app, active } of this.#world.apps) {
      const own = views.filter(({ appId }) => appId === app.id)
      if (active !== undefined) this.#app(app.id, app.scale, active.id, own)
    }
    for (const what of this.#lasting.keys()) if (!this.#seen.has(what)) this.#lasting.delete(what)
  }

  /** A machine is empty after its deadline, and who is ill is replaced. */
  #machines(): void {
    const { machines, time, apps } = this.#world
    for (const [id, { emptyBy }] of machines.closed) {
      const there = machines.alive.filter(({ machine }) => machine === id).length
      if (there > 0 && time.now() > emptyBy) this.#mayNotLast(`runners are on ${id} after its deadline`, repairMs)
    }
    for (const { spec, illSince, asked, frozen } of machines.alive) {
      const revision = apps.find(({ active }) => active?.id === spec.revisionId)
      if (illSince === undefined || asked || frozen || revision?.active?.spec.healthCheck === undefined) continue
      // Failures count once the start period is over, and so many in a row.
      const startMs =
        Math.max(30, revision.app.scale.startup_timeout, revision.active.spec.scale.startup_timeout) * second
      this.#mayNotLast(`runner ${spec.id} is ill and serves on`, startMs + 3 * 20 * second + repairMs)
    }
  }

  /** No runner outlives its record, and no record its runner, longer than a look at everything takes (design §4.7). */
  #recordsAndRunners(views: readonly RunnerView[]): void {
    const { machines, apps } = this.#world
    const recorded = new Map(views.map((view) => [view.id, view] as const))
    const alive = new Map<RunnerId, SimRunner>(machines.alive.map((runner) => [runner.spec.id, runner] as const))
    for (const id of alive.keys()) if (!recorded.has(id)) this.#mayNotLast(`runner ${id} has no record`, repairMs)
    for (const { id, state, appId } of views) {
      if (alive.has(id) || state === 'pending' || state === 'crash_backoff') continue
      const known = apps.find(({ app }) => app.id === appId)?.app
      const startupMs = (known?.scale.startup_timeout ?? 600) * second
      this.#mayNotLast(`record ${id} (${state}) has no runner`, state === 'setup' ? startupMs + repairMs : repairMs)
    }
  }

  #app(appId: AppId, scale: ScaleSettings, active: string, views: readonly RunnerView[]): void {
    const server = this.#world.server!
    const load = server.homes.of(appId).load()
    const able = views.filter(
      ({ state, revisionId }) => revisionId === active && state !== 'draining' && state !== 'terminating',
    )
    const waits = load.waiting > 0
    const delayMs = scale.scaling_delay * second
    if (waits && able.length === 0 && !views.some(({ state }) => state === 'idle' || state === 'running'))
      // A runner may have come and gone between two looks: then others wait.
      this.#mayNotLast(
        `requests wait for ${appId} since ${load.waitingSince}, and no runner comes`,
        delayMs + 20 * second,
      )
    const free = able.some(({ id, state }) => state === 'idle' && load.runners.has(id) && !this.#isRetired(id))
    if (waits && free && load.running < scale.max_concurrency)
      this.#mayNotLast(`requests wait for ${appId} beside an idle runner`, 30 * second)
    // Successors come on top (platform-behaviour §4.4), and who is busy may finish.
    const successors = views.filter(({ replacement }) => replacement === 'will').length
    const busy = able.filter(({ state }) => state === 'running').length
    const most = Math.max(scale.max_concurrency, busy) + successors
    if (able.length > most) this.#mayNotLast(`${appId} has ${able.length} runners, above its cap`, repairMs)
    const least = runnersFor(scale, 0)
    if (able.length < least) this.#mayNotLast(`${appId} has ${able.length} runners, below its floor`, 20 * second)
  }

  #isRetired(id: RunnerId): boolean {
    return this.#world.machines.runners.get(id)?.sighting.kind !== 'accepting'
  }

  #mayNotLast(what: string, ms: number): void {
    const { time } = this.#world
    this.#seen.add(what)
    const since = this.#lasting.get(what) ?? time.now()
    this.#lasting.set(what, since)
    if (time.now() - since <= ms) return
    this.#world.break(`${what}, for ${(time.now() - since) / second} s`)
    this.#lasting.set(what, Infinity) // said once
  }

  /** Executions are bounded (design §4.3), and so is what runs at a time (§4.4). */
  #called(requestId: string, runner: SimRunner): void {
    const { acknowledged, machines, time } = this.#world
    const { appId } = runner.spec
    this.afterEach() // what was scaled just now counts already
    if (requestId !== '') {
      const times = (this.#executions.get(requestId) ?? 0) + 1
      this.#executions.set(requestId, times)
      const allowed = acknowledged.get(requestId) ?? 10
      if (times > allowed) this.#world.break(`${requestId} runs ${times} times, ${allowed} are allowed`)
    }
    const caps = this.#caps.get(appId) ?? []
    const newest = caps.at(-1)
    // What began under a higher cap may go on; what was just lowered is not known everywhere yet.
    if (newest === undefined || time.now() - newest.since < 3_600 * second) return
    const running = machines.runningOf(appId)
    if (running > newest.requests) this.#world.break(`${running} requests of ${appId} run, ${newest.requests} may`)
  }
}
