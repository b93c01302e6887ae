import { setImmediate as turn } from 'node:timers/promises'
import type { Decision } from '../domain/decision.ts'
import type { AppId, RunnerId } from '../domain/ids.ts'
import { awaken, drain, terminate, type LiveRunner } from '../domain/runner.ts'
import type { Homes } from '../home/home.ts'
import type { Moment } from '../kit/clock.ts'
import type { Logger } from '../kit/logger.ts'
import { Agenda } from './agenda.ts'
import { Alarm } from './alarm.ts'
import { Asks, type Ask } from './asks.ts'
import { bear, beginThose, type Birth, type BirthParts } from './births.ts'
import { decisionOf, isWorthKeeping } from './decide.ts'
import type { DecisionLog } from './decisions.ts'
import { Draft } from './draft.ts'
import { fold, strangers } from './fold.ts'
import type { Change } from './fleet.ts'
import type { Freezer } from './freezer.ts'
import type { Hands } from './hands.ts'
import type { HealthChecks } from './health-checks.ts'
import type { Maintenances } from './maintenances.ts'
import { Offers } from './offers.ts'
import { lookAgainAt } from './look-again.ts'
import { planApp, type Action, type AppWorld, type Plan } from './plan.ts'
import { roll, type RollParts } from './roll.ts'
import type { PostMortems } from './post-mortems.ts'
import { isLateStart } from './late-starts.ts'
import type { Runs } from './runs.ts'
import type { ServedDocuments } from './served-documents.ts'
import type { Look, Sightings } from './sightings.ts'
import { boundDraining, boundSetup, deadlinesOf } from './time-limits.ts'
import { wantsMore } from './wants-more.ts'
import { worldOf, worlds, worldsOf } from './worlds.ts'

export interface PassParts extends RollParts, BirthParts {
  readonly homes: Homes
  readonly hands: Hands
  readonly maintenances: Pick<Maintenances, 'all'>
  readonly runs: Runs
  readonly postMortems: PostMortems
  readonly sightings: Sightings
  readonly decisions: DecisionLog
  readonly health: HealthChecks
  readonly documents: Pick<ServedDocuments, 'learn'>
  readonly freezer: Pick<Freezer, 'look' | 'learn'>
  /** Says what is to be said of runners before these changes are stored. */
  readonly tell: (changes: readonly Change[]) => Promise<void>
  readonly log: Logger
  /** Makes a pass come soon. */
  readonly wake: () => void
}

/** A plan, what its actions bring forth (for each the runner that it makes or begins, or nothing), and when to look again. */
interface Planned {
  readonly plan: Plan
  readonly born: readonly (Birth | undefined)[]
  readonly later: readonly Moment[]
}

/** What a start needs is there within milliseconds, unless it has to be made. */
const longPreparationMs = 1_000

/**
 * One look, one decision, and the deeds. It starts from what is: it looks at the apps where something changed or is due,
 * and now and then at everything, so it also repairs what no event told.
 */
export class Pass {
  readonly #parts: PassParts
  readonly #asks: Asks
  readonly #offers: Offers
  readonly #alarm: Alarm
  readonly #agenda = new Agenda()
  /** The apps where something has changed since a pass last looked at them. */
  #touched = new Set<AppId>()
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
    const looked = this.#touched
    try {
      const isWhole = await this.#see(signal)
      const ends = await roll(this.#parts)
      await this.#plan(isWhole)
      this.#alarm.set([...ends, this.#agenda.next ?? Infinity, this.#parts.placing.lookAgainAt ?? Infinity])
      for (const { resolve } of waiting) resolve()
    } catch (error) {
      this.#waiting = [...waiting, ...this.#waiting]
      for (const appId of looked) this.#touched.add(appId)
      this.#parts.sightings.expectAnything()
      await this.#parts.fleet.load() // a write whose answer was lost may have happened
      this.#parts.placing.countAgain()
      throw error
    }
  }

  /** Resolves after a whole pass that has not begun yet. */
  next(): Promise<void> {
    this.#parts.sightings.expectAnything()
    const made = Promise.withResolvers<void>()
    this.#waiting.push(made)
    return made.promise
  }

  /** The next pass looks at this app. */
  touch(appId: AppId): void {
    this.#touched.add(appId)
  }

  /** Resolves when the wish is on disk. */
  ask(ask: Ask): Promise<void> {
    this.#touchAppOf(ask.id)
    return this.#asks.add(ask)
  }

  refused(id: RunnerId): void {
    this.#touchAppOf(id)
    this.#refused.add(id)
  }

  /** Whether this app's load calls for more than there is, or may do so before the next pass. */
  wantsMore(appId: AppId): boolean {
    return wantsMore(appId, this.#parts, this.#agenda)
  }

  close(): void {
    this.#alarm.clear()
    this.#asks.close()
    for (const { resolve } of this.#waiting) resolve()
    this.#offers.tellAll(new Map())
  }

  /** What became of the runners, and what people want of them. Answers whether it has looked at everything. */
  async #see(signal: AbortSignal): Promise<boolean> {
    const { fleet, clock, sightings, health, hands, memory, runs, apps } = this.#parts
    const look = health.gate(await sightings.look(signal))
    const draft = new Draft(fleet)
    memory.pulls.learn(look, this.#building())
    fold(this.#concerned(look), { look, refused: this.#refused, pulls: memory.pulls }, draft, clock.now())
    const granted = this.#asks.grant(draft, clock.now())
    await this.#store(draft)
    granted()
    memory.pulls.settle((id) => fleet.get(id) !== undefined)
    for (const id of this.#refused) if (fleet.get(id) === undefined) this.#refused.delete(id)
    for (const id of look ? strangers(fleet, look.listed) : []) if (hands.isFree(id)) hands.end(id)
    memory.tidy((id) => fleet.get(id) !== undefined)
    runs.tidy((id) => apps.byId(id) !== undefined)
    return look?.isWhole ?? false
  }

  /** Starts that are being prepared for so long that something must be built for them. */
  #building(): readonly RunnerId[] {
    const { fleet, hands, clock } = this.#parts
    return [...hands.preparing].filter((id) => {
      const runner = fleet.get(id)
      return runner?.state === 'setup' && clock.now() - runner.startedAt >= longPreparationMs
    })
  }

  /** The runners of the apps that were touched, those included that the backend told of and those whose time has come. */
  #concerned(look: Look | undefined): readonly LiveRunner[] {
    const { fleet, clock } = this.#parts
    for (const appId of this.#agenda.take(clock.now())) this.#touched.add(appId)
    if (look?.isWhole) return fleet.all()
    for (const id of look?.listed.keys() ?? []) this.#touchAppOf(id)
    return [...this.#touched].flatMap((appId) => fleet.ofApp(appId))
  }

  #touchAppOf(id: RunnerId): void {
    const appId = this.#parts.fleet.get(id)?.appId
    if (appId !== undefined) this.#touched.add(appId)
  }

  /** The plan of every app that was touched, or of all. */
  async #plan(isWhole: boolean): Promise<void> {
    const { fleet, clock, placing, decisions } = this.#parts
    const touched = new Set([...this.#touched, ...placing.appsToLookAt(clock.now())])
    this.#touched = new Set()
    const all = isWhole ? worlds(this.#parts) : worldsOf(touched, this.#parts)
    if (isWhole) this.#offers.tellAll(all)
    else this.#offers.tell(all)
    const now = clock.now()
    const draft = new Draft(fleet)
    const births: Birth[] = []
    const plans = Array.from(all, ([id, world]) => [id, this.#planOne(world, draft, births)] as const)
    if (isWhole) this.#noteMissed(new Map(plans.filter(([id]) => !touched.has(id))))
    beginThose(births, this.#parts, draft)
    const decided = plans.flatMap(([id, { plan, born }]) => this.#decided(id, all.get(id), plan, born))
    await this.#store(draft)
    if (isWhole) this.#tidy(all)
    for (const [id, decision] of decided) decisions.note(id, decision)
    if (isWhole) this.#parts.health.look() // its own timer looks more often
    for (const [id, { later }] of plans) {
      this.#killOverdue(id)
      const freezing = this.#freezing(all.get(id), now)
      this.#agenda.set(id, [...later, ...freezing, ...deadlinesOf(fleet.ofApp(id))], now) // what came due meanwhile is due
    }
  }

  /** Who goes is no longer there to be frozen. */
  #freezing(world: AppWorld | undefined, now: Moment): readonly Moment[] {
    return world === undefined ? [] : this.#parts.freezer.look(world, now)
  }

  /** Answers the plan with what its actions bring forth, and when there may be more to do; adds the runners that are to begin. */
  #planOne(world: AppWorld, draft: Draft, births: Birth[]): Planned {
    const now = this.#parts.clock.now()
    const plan = planApp(world, now)
    const born = plan.actions.map((action) => this.#draft(action, world, draft))
    births.push(...born.flatMap((birth) => birth ?? []))
    boundSetup(world, draft)
    const drained = boundDraining(world, { draft, memory: this.#parts.memory, now })
    const later = [...plan.moments, lookAgainAt(world, now) ?? Infinity, ...drained]
    return { plan, born, later }
  }

  /** Forgets what is about apps and revisions that are gone. */
  #tidy(all: ReadonlyMap<AppId, AppWorld>): void {
    const { decisions, memory } = this.#parts
    decisions.tidy((id) => all.has(id))
    const ids = [...all.values()].flatMap(({ active, rolling }) => [active?.id ?? [], rolling?.id ?? []].flat())
    memory.keepRevisions(new Set(ids))
  }

  /** What a look at everything finds to start is late: something should have told. */
  #noteMissed(plans: ReadonlyMap<AppId, Planned>): void {
    const { log, placing } = this.#parts
    for (const [app, { plan }] of plans) {
      const isMissed = plan.actions.some(
        (action) =>
          action.kind === 'start' || (action.kind === 'begin' && placing.whyUnplaced(action.runner.id) === undefined),
      )
      if (isMissed) log.info({ app }, 'a look at everything found a runner to start of which nothing had told')
    }
  }

  /** What is to be kept of a plan, once its runners have got their places. */
  #decided(id: AppId, world: AppWorld | undefined, plan: Plan, born: Planned['born']): (readonly [AppId, Decision])[] {
    const now = this.#parts.clock.now()
    if (world === undefined || !isWorthKeeping(world, plan, now)) return []
    const runners = born.map((birth) => birth?.runner.id)
    return [[id, decisionOf(world, plan, runners, now)]]
  }

  /** Answers the runner that is to begin, where there is one: it is drafted once it has a place. */
  #draft(action: Action, { app }: AppWorld, draft: Draft): Birth | undefined {
    const { clock, memory } = this.#parts
    if (action.kind === 'cancel') draft.put(terminate(action.runner, action.reason, clock.now()))
    if (action.kind === 'drain') draft.put(drain(action.runner, action.reason, clock.now()))
    if (app === undefined || action.kind === 'cancel' || action.kind === 'drain') return undefined
    if (action.kind === 'begin') {
      const runner = awaken(action.runner, clock.now())
      draft.put(runner)
      return { runner, app, revision: action.revision }
    }
    const birth = bear(app, action.revision, action.startAt, this.#parts, draft)
    if (action.successorOf !== undefined) memory.replacing.set(action.successorOf, birth.runner.id)
    return birth
  }

  /** What would be decided now about an app, were this a pass. */
  decide(appId: AppId): Decision {
    const world = worldOf(appId, this.#parts)
    const now = this.#parts.clock.now()
    return decisionOf(world, planApp(world, now), [], now)
  }

  #killOverdue(appId: AppId): void {
    const { fleet, hands, clock } = this.#parts
    for (const runner of fleet.ofApp(appId)) {
      if (runner.state !== 'draining' || runner.killAt === undefined || runner.killAt > clock.now()) continue
      if (hands.isFree(runner.id)) hands.kill(runner.id)
      this.#touched.add(appId) // until it is gone
    }
  }

  /** Stores the draft, does it, and lets homes know. What could not be stored is planned again. */
  async #store(draft: Draft): Promise<void> {
    const changes = draft.changes()
    if (changes.length === 0) return
    const { fleet, clock, memory, health, documents, freezer, rollouts, hands, runs, placing } = this.#parts
    if (changes.some(isLateStart)) await this.#parts.tell(changes) // while they still are where they are
    hands.prepare(changes)
    const concerned = new Set(changes.map(({ to }) => to.appId))
    // While this is on its way to the disk, nobody may be given a runner that was idle when its end was decided. One that
    // begins to serve is given requests already: their attempts' starts go into the same commit (docs/decisions/0039).
    this.#offers.tell(worldsOf(concerned, { ...this.#parts, fleet: draft }), (id) => draft.get(id)?.state !== 'serving')
    const { stored, failure } = await fleet.commit(changes, clock.now())
    for (const change of stored) {
      this.#touched.add(change.to.appId) // what follows from it is seen by the next look
      hands.take(change)
    }
    hands.letGo()
    await turn() // runners are told to begin, and requests go to those that serve: what is noted of them can wait for that
    for (const change of stored) {
      memory.learn(change, clock.now())
      placing.learn(change)
      health.learn(change)
      documents.learn(change)
      freezer.learn(change)
      if (change.to.state !== 'terminated') continue
      rollouts.ended(change.to)
      runs.ended(change.to)
      this.#parts.postMortems.ended(change.to)
    }
    this.#offers.tell(worldsOf(concerned, this.#parts))
    if (failure !== undefined) throw failure
  }
}
