import type { Decision } from '../domain/decision.ts'
import type { AppId, RunnerId } from '../domain/ids.ts'
import { bound, drain, readyWithin, terminate, type Draining, type LiveRunner } from '../domain/runner.ts'
import { patientUntil } from '../domain/scaling.ts'
import type { Homes } from '../home/home.ts'
import type { Moment } from '../kit/clock.ts'
import { Alarm } from './alarm.ts'
import { Asks, type Ask } from './asks.ts'
import { bear, begin, type BirthParts } from './births.ts'
import { decisionOf, isWorthKeeping } from './decide.ts'
import type { DecisionLog } from './decisions.ts'
import { Draft } from './draft.ts'
import { fold, strangers } from './fold.ts'
import type { Hands } from './hands.ts'
import type { HealthChecks } from './health-checks.ts'
import { Offers } from './offers.ts'
import { demandOn, planApp, wantedRunners, type Action, type AppWorld, type Loaded } from './plan.ts'
import { roll, type RollParts } from './roll.ts'
import type { Runs } from './runs.ts'
import type { Sightings } from './sightings.ts'
import { worldOf, worlds } from './worlds.ts'

export interface PassParts extends RollParts, BirthParts {
  readonly homes: Homes
  readonly hands: Hands
  readonly runs: Runs
  readonly sightings: Sightings
  readonly decisions: DecisionLog
  readonly health: HealthChecks
  /** Makes a pass come soon. */
  readonly wake: () => void
}

const usualTimeoutSeconds = 3_600

/** One look at everything, one decision, and the deeds. It starts from what is, so it also repairs what no event told. */
export class Pass {
  readonly #parts: PassParts
  readonly #asks: Asks
  readonly #offers: Offers
  readonly #alarm: Alarm
  readonly #refused = new Set<RunnerId>()
  #waiting: PromiseWithResolvers<void>[] = []

  constructor(parts: PassParts) {
    this.#parts = parts
    this.#asks = new Asks(parts.memory)
    this.#offers = new Offers(parts.homes)
    this.#alarm = new Alarm(parts.clock, parts.wake)
  }

  async run(signal: AbortSignal): Promise<void> {
    const waiting = this.#waiting
    this.#waiting = []
    try {
      await this.#see(signal)
      const ends = await roll(this.#parts)
      const moments = await this.#plan()
      this.#alarm.set([...ends, ...moments])
      for (const { resolve } of waiting) resolve()
    } catch (error) {
      this.#waiting = [...waiting, ...this.#waiting]
      await this.#parts.fleet.load() // a write whose answer was lost may have happened
      throw error
    }
  }

  /** Resolves after a whole pass that has not begun yet. */
  next(): Promise<void> {
    const made = Promise.withResolvers<void>()
    this.#waiting.push(made)
    return made.promise
  }

  /** Resolves when the wish is on disk. */
  ask(ask: Ask): Promise<void> {
    return this.#asks.add(ask)
  }

  refused(id: RunnerId): void {
    this.#refused.add(id)
  }

  /** Whether this app's load calls for more than there is, or may do so before the next pass. */
  wantsMore(appId: AppId): boolean {
    const { fleet, homes, clock } = this.#parts
    const world = worldOf(appId, fleet.ofApp(appId), homes.of(appId), this.#parts)
    if (world.app === undefined || world.active === undefined || world.over) return false
    if (world.runners.some(({ runner, inFlight }) => isDone(runner, inFlight))) return true
    const { scale, revisionId } = world.app
    const demand = demandOn(world)
    const there = world.runners.filter(({ runner }) => runner.revisionId === revisionId && runner.state !== 'draining')
    const until = patientUntil(scale, demand, clock.now())
    if (until !== undefined && !this.#alarm.isSetBefore(until)) return true
    return wantedRunners(world.app, world, clock.now()).atLeast > there.length
  }

  close(): void {
    this.#alarm.clear()
    this.#asks.close()
    for (const { resolve } of this.#waiting) resolve()
    this.#offers.tell(new Map())
  }

  /** What became of the runners, and what people want of them. */
  async #see(signal: AbortSignal): Promise<void> {
    const { fleet, clock, sightings, health, hands, memory, runs, apps } = this.#parts
    const listed = health.gate(await sightings.look(signal))
    const draft = new Draft(fleet)
    fold(fleet, { listed, refused: this.#refused }, draft, clock.now())
    const granted = this.#asks.grant(draft, clock.now())
    await this.#store(draft)
    granted()
    for (const id of this.#refused) if (fleet.get(id) === undefined) this.#refused.delete(id)
    for (const id of strangers(fleet, listed)) if (hands.isFree(id)) hands.end(id)
    memory.tidy((id) => fleet.get(id) !== undefined)
    runs.tidy((id) => apps.byId(id) !== undefined)
  }

  /** Every app's plan. Answers when there may be more to do. */
  async #plan(): Promise<readonly Moment[]> {
    const { fleet, clock, decisions } = this.#parts
    const draft = new Draft(fleet)
    const all = worlds(this.#parts)
    this.#offers.tell(all)
    const decided: (readonly [AppId, Decision])[] = []
    const moments = [...all].flatMap(([appId, world]) => {
      const now = clock.now()
      const plan = planApp(world, now)
      const born = plan.actions.map((action) => this.#draft(action, world, draft))
      if (isWorthKeeping(world, plan, now)) decided.push([appId, decisionOf(world, plan, born, now)])
      return plan.moments
    })
    for (const world of all.values()) this.#boundSetup(world, draft)
    const overdue = [...all.values()].flatMap((world) => this.#boundDraining(world, draft))
    await this.#store(draft)
    decisions.tidy((appId) => all.has(appId))
    for (const [appId, decision] of decided) decisions.note(appId, decision)
    this.#killOverdue()
    this.#parts.health.look()
    return [...moments, ...overdue, ...this.#deadlines()]
  }

  /** Answers the runner that a start becomes. */
  #draft(action: Action, { app }: AppWorld, draft: Draft): RunnerId | undefined {
    const { clock, memory } = this.#parts
    if (action.kind === 'cancel') draft.put(terminate(action.runner, action.reason, clock.now()))
    if (action.kind === 'drain') draft.put(drain(action.runner, action.reason, clock.now()))
    if (app !== undefined && action.kind === 'begin') begin(action.runner, app, action.revision, this.#parts, draft)
    if (app === undefined || action.kind !== 'start') return undefined
    const id = bear(app, action.revision, action.startAt, this.#parts, draft)
    if (action.successorOf !== undefined) memory.replacing.set(action.successorOf, id)
    return id
  }

  /** What would be decided now about an app, were this a pass. */
  decide(appId: AppId): Decision {
    const { fleet, homes, clock } = this.#parts
    const home = [...homes.all()].find((each) => each.appId === appId)
    const world = worldOf(appId, fleet.ofApp(appId), home, this.#parts)
    const now = clock.now()
    return decisionOf(world, planApp(world, now), [], now)
  }

  /** A start-up time that was changed counts for the runners that are starting, too. */
  #boundSetup({ app, runners }: AppWorld, draft: Draft): void {
    if (app === undefined) return
    for (const { runner } of runners) {
      if (runner.state !== 'setup' || runner.revisionId !== app.revisionId || draft.get(runner.id) !== runner) continue
      draft.put(readyWithin(runner, app.scale.startup_timeout * 1_000))
    }
  }

  /** Sets the end of runners that drain. Answers when waiting for their requests ends at the latest. */
  #boundDraining({ app, runners }: AppWorld, draft: Draft): readonly Moment[] {
    const { clock, memory } = this.#parts
    const draining = runners.filter((each): each is Loaded<Draining> => each.runner.state === 'draining')
    return draining.map(({ runner, inFlight }) => {
      const spec = memory.revisionOf(runner.id)?.spec
      const seconds = app?.scale.request_timeout ?? spec?.scale.request_timeout ?? usualTimeoutSeconds
      const limits = {
        inFlight,
        graceMs: (spec?.terminationGracePeriodSeconds ?? 0) * 1_000,
        requestTimeoutMs: seconds * 1_000,
      }
      draft.put(bound(runner, limits, clock.now()))
      return runner.since + limits.requestTimeoutMs
    })
  }

  #killOverdue(): void {
    const { fleet, hands, clock } = this.#parts
    for (const runner of fleet.all()) {
      const isOverdue = runner.state === 'draining' && runner.killAt !== undefined && runner.killAt <= clock.now()
      if (isOverdue && hands.isFree(runner.id)) hands.kill(runner.id)
    }
  }

  #deadlines(): readonly Moment[] {
    return this.#parts.fleet.all().flatMap((runner) => {
      if (runner.state === 'pending') return [runner.startAt]
      if (runner.state === 'setup') return [runner.readyBy + 1]
      return runner.state === 'draining' && runner.killAt !== undefined ? [runner.killAt] : []
    })
  }

  /** Stores the draft, does it, and lets homes know. What could not be stored is planned again. */
  async #store(draft: Draft): Promise<void> {
    const changes = draft.changes()
    if (changes.length === 0) return
    const { fleet, clock, memory, health, rollouts, hands, runs } = this.#parts
    hands.prepare(changes)
    // While this is on its way to the disk, nobody may be given a runner that was idle when its end was decided. One that
    // begins to serve is given requests already: their attempts' starts go into the same commit (docs/decisions/0039).
    this.#offers.tell(worlds({ ...this.#parts, fleet: draft }), (id) => draft.get(id)?.state !== 'serving')
    const { stored, failure } = await fleet.commit(changes, clock.now())
    for (const change of stored) {
      hands.take(change)
      memory.learn(change, clock.now())
      health.learn(change)
      if (change.to.state !== 'terminated') continue
      rollouts.ended(change.to)
      runs.ended(change.to)
    }
    this.#offers.tell(worlds(this.#parts))
    if (failure !== undefined) throw failure
  }
}

/** It drains, and has nothing left to finish: its grace begins, and others may use its share of the cap. */
function isDone(runner: LiveRunner, inFlight: number): boolean {
  return runner.state === 'draining' && runner.killAt === undefined && inFlight === 0
}
