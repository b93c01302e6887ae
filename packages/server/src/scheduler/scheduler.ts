/**
 * Scheduler: makes the runners that exist match the runners that are wanted.
 * Reads apps, loads and live runners, writes runners and the end of rolling deploys, acts on the backend. One at a time
 * per installation.
 */
import type { Keyring } from '../access/keyring.ts'
import type { ExecCommand, ExecSession, RunnerBackend, RunnerUsage } from '../backends/backend.ts'
import type { Decisions } from '../domain/decision.ts'
import type { Hardware } from '../domain/hardware.ts'
import type { AccountId, AppId, RevisionId, RunnerId } from '../domain/ids.ts'
import type { Maintained, Maintenance } from '../domain/maintenance.ts'
import type { Placed, Unplaced } from '../domain/placement.ts'
import type { RunnerView } from '../domain/runner-view.ts'
import type { EndReason, Exceeded, Identity, Serving, StopReason, Terminated } from '../domain/runner.ts'
import type { Apps } from '../home/apps.ts'
import type { Budgets } from '../home/budgets.ts'
import type { Homes } from '../home/home.ts'
import type { Clock, Moment } from '../kit/clock.ts'
import type { Logger } from '../kit/logger.ts'
import { startLoop, type Loop } from '../kit/loop.ts'
import type { LogLine, LogStore } from '../logs/log-store.ts'
import type { Store } from '../store/store.ts'
import { noteLaunch } from '../store/timelines.ts'
import { unknownRunner, type Wish } from './asks.ts'
import { AppNews } from './app-news.ts'
import { DecisionKeeper } from './decision-keeper.ts'
import { DecisionLog } from './decisions.ts'
import { Fleet, type Change } from './fleet.ts'
import { Freezer } from './freezer.ts'
import { Hands } from './hands.ts'
import { HealthChecks } from './health-checks.ts'
import { tellOfLateStarts } from './late-starts.ts'
import type { Launch, RunnerStart } from './launch.ts'
import { Maintenances } from './maintenances.ts'
import { Masks } from './masks.ts'
import { Memory } from './memory.ts'
import { Pass } from './pass.ts'
import { Placing } from './placing.ts'
import { PostMortems } from './post-mortems.ts'
import { socketProbe, type Probe } from './probe.ts'
import { endFormerRunners, endFormerRuns } from './recover.ts'
import { Rollouts } from './rollouts.ts'
import { Roster } from './roster.ts'
import { Runs, type HostFollower } from './runs.ts'
import { ServedDocuments } from './served-documents.ts'
import { endAllRunners } from './shutdown.ts'
import { Sightings } from './sightings.ts'
import { Voices } from './voices.ts'

export interface SchedulerParts {
  readonly store: Store
  readonly homes: Homes
  readonly apps: Apps
  readonly backend: RunnerBackend
  /** What runners are placed on. */
  readonly hardware: Hardware
  /** For whom nothing more is started. */
  readonly budgets: Pick<Budgets, 'spentOf'>
  readonly keyring: Pick<Keyring, 'prepare' | 'learn' | 'forget'>
  readonly logs: Pick<LogStore, 'append' | 'tail'>
  readonly launch: Launch
  readonly clock: Clock
  readonly log: Logger
  /** Longest time between two passes. */
  readonly everyMs: number
  /** After so many seconds of idleness runners are frozen whose app says nothing of it. Absent, or 0: never. */
  readonly freezeAfterSeconds?: number
  /** How it is looked whether runners are well: by their sockets, unless said otherwise. */
  readonly probe?: Probe
}

export interface Scheduler {
  /** The machines that are in maintenance. */
  maintained(): Maintained
  /** Takes a machine into maintenance: it gets no new runners and those that it has are asked to end. Resolves when they are. */
  maintain(maintenance: Maintenance): Promise<void>
  /** A machine serves again. */
  endMaintenance(machineId: string): Promise<void>
  /** The live runners of all accounts that have a place, oldest first. */
  placed(): readonly Placed[]
  /** An account's live runners, oldest first, and those that ended since then. */
  listing(accountId: AccountId, endedSince?: Moment): Promise<readonly RunnerView[]>
  /** Lets it finish its requests and then end; with `replaceFirst` its successor serves before. */
  stopRunner(id: RunnerId, options: { readonly replaceFirst: boolean; readonly reason?: StopReason }): Promise<void>
  /** Ends it now. */
  killRunner(id: RunnerId, reason?: StopReason): Promise<void>
  /** What the live runners use of the machine. */
  usage(): Promise<ReadonlyMap<RunnerId, RunnerUsage>>
  /** Starts a command beside a runner. Throws `runner_not_found`, `exec_failed` or `too_busy`. */
  execIn(id: RunnerId, command: ExecCommand): Promise<ExecSession>
  /** A call went badly: looks whether the runner still answers, or ends it and lets another take its place. */
  verdict(id: RunnerId, verdict: 'check' | 'probe' | 'terminate', reason: StopReason): void
  /** What a runner wanted too much of, if that has ended it; waits a little for one whose end is not known yet. */
  whatExceeded(id: RunnerId): Promise<Exceeded | undefined>
  /** Why an app has the runners that it has: what would be decided now, and the last decisions. */
  decisions(appId: AppId): Decisions
  /** Why the last start of an app's active revision failed, until one succeeds. */
  startFailureOf(appId: AppId): EndReason | undefined
  /** Whether an app has no runner that serves or will, and gets none because its account may spend no more this month. */
  isOverBudget(appId: AppId): boolean
  /** Why a runner of an app that is wanted has no place. */
  unplacedOf(appId: AppId): Unplaced | undefined
  /** The app has moved to this revision: a runner of it starts now, whether anybody calls or not. */
  warm(appId: AppId, revisionId: RevisionId): void
  /** Follows a run: what its runners say, and the one whose end is its end. */
  followRun(appId: AppId, say: (line: LogLine) => void): Promise<Terminated>
  /** Ends what is left of a run, within a second. */
  endRun(appId: AppId): void
  /** Follows the runners of a function host, until what it returns is called. To be called before its app is made. */
  followHost(appId: AppId, follower: HostFollower): () => void
  /** Whether an app has runners that have not ended. */
  hasRunners(appId: AppId): boolean
  /** Makes a whole pass that begins after this call. Only needed by those who move the clock. */
  look(): Promise<void>
  /** Asks every runner to finish and returns when all are gone: its requests have `graceMs`, then its teardown has its grace. */
  stop(limits: { readonly graceMs: number }): Promise<void>
}

/** Resolves when every runner of a former server process is seen gone: nothing may be dispatched before. */
export async function startScheduler(parts: SchedulerParts): Promise<Scheduler> {
  const fleet = new Fleet(parts.store, parts.keyring)
  await endFormerRuns(parts)
  await endFormerRunners(fleet, parts.backend, parts.clock, AbortSignal.timeout(patienceMs))
  const maintenances = new Maintenances(parts.store)
  await maintenances.load()
  return new PlatformScheduler(parts, fleet, maintenances)
}

const patienceMs = 60_000
/** One pass of so many looks at everything, also where nobody told of anything. */
const passesPerWhole = 5
/** What a run may still do after its caller has gone. */
const lastSecondMs = 1_000

class PlatformScheduler implements Scheduler {
  readonly #parts: SchedulerParts
  readonly #fleet: Fleet
  readonly #maintenances: Maintenances
  readonly #memory = new Memory()
  readonly #masks = new Masks()
  readonly #rollouts: Rollouts
  readonly #runs = new Runs()
  readonly #postMortems = new PostMortems((id) => this.#fleet.get(id) !== undefined)
  readonly #decisions = new DecisionLog()
  readonly #decisionKeeper: DecisionKeeper
  readonly #health: HealthChecks
  readonly #freezer: Freezer
  readonly #probe: Probe
  readonly #documents: ServedDocuments
  readonly #hands: Hands
  readonly #placing: Placing
  readonly #pass: Pass
  readonly #roster: Roster
  readonly #voices: Voices
  readonly #loop: Loop
  readonly #ending = new AbortController()
  readonly #checking = new Map<RunnerId, () => void>()

  constructor(parts: SchedulerParts, fleet: Fleet, maintenances: Maintenances) {
    const { backend, apps, homes, store, clock, log, everyMs } = parts
    this.#parts = parts
    this.#fleet = fleet
    this.#maintenances = maintenances
    this.#rollouts = new Rollouts(parts.logs)
    const sightings = new Sightings(backend, clock, everyMs * passesPerWhole)
    const masks = this.#masks
    this.#probe = parts.probe ?? socketProbe
    const freezer = new Freezer({
      ...parts,
      backend: backend.freezer,
      fleet,
      freezeAfterSeconds: parts.freezeAfterSeconds ?? 0,
      onNews: (appId) => this.#lookAt(appId),
      onStuck: (id) => this.#end(id, 'crash', 0),
    })
    this.#freezer = freezer
    this.#health = new HealthChecks({
      clock,
      probe: this.#probe,
      freezer,
      inFlightOf: (appId, id) => homes.of(appId).load().runners.get(id)?.inFlight ?? 0,
      onWell: (id) => (sightings.expectChange(id), this.#loop.wake()),
      onIll: (id) => this.#replace(id, 'health_check'),
      say: (message, runner) => this.#voices.say(message, runner),
    })
    this.#voices = new Voices({ ...parts, fleet, memory: this.#memory, masks, runs: this.#runs })
    this.#hands = new Hands(
      {
        ...parts,
        masks,
        onLaunched: (id) => this.#launched(id),
        onRefused: (start, error) => this.#refused(start, error),
      },
      this.#ending.signal,
    )
    const say = (message: string, runner: Identity) => this.#voices.say(message, runner)
    this.#documents = new ServedDocuments({ store, clock, log, memory: this.#memory, freezer })
    const hands = this.#hands
    this.#placing = new Placing({
      fleet,
      clock,
      maintenances,
      budgets: parts.budgets,
      hardware: parts.hardware,
      isFree: (id) => hands.isFree(id),
    })
    this.#roster = new Roster({ ...parts, fleet, memory: this.#memory, placing: this.#placing })
    const own = {
      fleet,
      maintenances,
      memory: this.#memory,
      rollouts: this.#rollouts,
      runs: this.#runs,
      postMortems: this.#postMortems,
      hands,
      placing: this.#placing,
      sightings,
      decisions: this.#decisions,
      health: this.#health,
      documents: this.#documents,
      freezer,
      tell: (changes: readonly Change[]) => tellOfLateStarts(changes, { backend, memory: this.#memory, say }),
    }
    this.#pass = new Pass({ ...parts, ...own, wake: () => this.#loop.wake() })
    this.#loop = startLoop((signal) => this.#pass.run(signal), { name: 'scheduler', everyMs, log })
    this.#decisionKeeper = new DecisionKeeper({ decisions: this.#decisions, store, log })

    backend.onChange((id) => (sightings.expectChange(id), this.#loop.wake()))
    backend.onOutput((output) => this.#voices.heard(output))
    homes.onLoad((appId) => this.#loadChanged(appId))
    store.onChange('app', () => void this.#appsChanged(apps))
    const news = new AppNews(apps)
    const touchNews = () => news.take().forEach((appId) => this.#pass.touch(appId))
    touchNews()
    apps.onRefresh(touchNews)
  }

  maintained(): Maintained {
    return this.#maintenances.all
  }

  async maintain(maintenance: Maintenance): Promise<void> {
    await this.#maintenances.begin(maintenance)
    for (const appId of this.#fleet.apps()) this.#pass.touch(appId)
    await this.look()
    await this.look() // an end that was due with it is seen by the second
  }

  async endMaintenance(machineId: string): Promise<void> {
    await this.#maintenances.end(machineId)
    this.#placing.lookAgain()
    await this.look()
  }

  placed(): readonly Placed[] {
    return this.#roster.placed()
  }

  listing(accountId: AccountId, endedSince?: Moment): Promise<readonly RunnerView[]> {
    return this.#roster.of(accountId, endedSince)
  }

  stopRunner(
    id: RunnerId,
    { replaceFirst, reason = 'stopped' }: { readonly replaceFirst: boolean; readonly reason?: StopReason },
  ): Promise<void> {
    return this.#ask(id, replaceFirst ? { kind: 'replace', reason } : { kind: 'stop' })
  }

  killRunner(id: RunnerId, reason: StopReason = 'killed'): Promise<void> {
    return this.#ask(id, { kind: 'end', reason, withinMs: 0 })
  }

  usage(): Promise<ReadonlyMap<RunnerId, RunnerUsage>> {
    return this.#parts.backend.usage(AbortSignal.timeout(patienceMs))
  }

  async execIn(id: RunnerId, command: ExecCommand): Promise<ExecSession> {
    if (this.#fleet.get(id) === undefined) throw unknownRunner(id)
    const attended = await this.#freezer.attend(id)
    try {
      const session = await this.#parts.backend.exec(id, command, AbortSignal.timeout(patienceMs))
      void session.exitCode.finally(() => attended[Symbol.dispose]())
      return session
    } catch (error) {
      attended[Symbol.dispose]()
      throw error
    }
  }

  verdict(id: RunnerId, verdict: 'check' | 'probe' | 'terminate', reason: StopReason): void {
    if (verdict !== 'terminate') return void this.#check(id, verdict, reason)
    this.#replace(id, reason)
  }

  whatExceeded(id: RunnerId): Promise<Exceeded | undefined> {
    return this.#postMortems.whatExceeded(id)
  }

  decisions(appId: AppId): Decisions {
    return { now: this.#pass.decide(appId), kept: this.#decisions.of(appId) }
  }

  warm(appId: AppId, revisionId: RevisionId): void {
    this.#memory.warm(appId, revisionId)
    this.#pass.touch(appId)
    this.#loop.wake()
  }

  startFailureOf(appId: AppId): EndReason | undefined {
    const active = this.#parts.apps.byId(appId)?.active
    return active && this.#memory.failedStarts.get(active.id)?.reason
  }

  isOverBudget(appId: AppId): boolean {
    const { apps, budgets, clock } = this.#parts
    const accountId = apps.byId(appId)?.app.accountId
    if (accountId === undefined || budgets.spentOf(accountId, clock.now()) === undefined) return false
    return this.#fleet.ofApp(appId).every(({ state }) => state === 'pending' || state === 'draining')
  }

  unplacedOf(appId: AppId): Unplaced | undefined {
    const reasons = this.#fleet.ofApp(appId).map(({ id }) => this.#placing.whyUnplaced(id))
    return reasons.find((why) => why !== undefined)
  }

  followRun(appId: AppId, say: (line: LogLine) => void): Promise<Terminated> {
    return this.#runs.follow(appId, say)
  }

  endRun(appId: AppId): void {
    this.#runs.end(appId)
    this.#pass.touch(appId)
    for (const { id } of this.#fleet.ofApp(appId)) this.#end(id, 'app_deleted', lastSecondMs)
    this.#loop.wake()
  }

  followHost(appId: AppId, follower: HostFollower): () => void {
    return this.#runs.followHost(appId, follower)
  }

  hasRunners(appId: AppId): boolean {
    return this.#fleet.countsOf(appId).size > 0
  }

  look(): Promise<void> {
    const made = this.#pass.next()
    this.#loop.wake()
    return made
  }

  async stop({ graceMs }: { readonly graceMs: number }): Promise<void> {
    await this.#loop.stop()
    await this.#decisionKeeper.stop()
    this.#pass.close()
    this.#health.close()
    this.#documents.close()
    const { homes } = this.#parts
    await endAllRunners(
      {
        ...this.#parts,
        fleet: this.#fleet,
        hands: this.#hands,
        inFlightOf: ({ appId, id }) => homes.of(appId).load().runners.get(id)?.inFlight ?? 0,
        graceMsOf: ({ id }) => this.#graceMs(id),
      },
      graceMs,
    )
    this.#ending.abort()
  }

  async #ask(id: RunnerId, wish: Wish): Promise<void> {
    if (this.#fleet.get(id) === undefined) throw unknownRunner(id)
    const granted = this.#pass.ask({ id, wish })
    this.#loop.wake()
    await granted
  }

  /** For a runner that is gone already there is nothing to do. */
  #end(id: RunnerId, reason: StopReason, withinMs: number): void {
    this.#ask(id, { kind: 'end', reason, withinMs }).catch(() => {})
  }

  /** One look at a time per runner, however many calls went badly. */
  async #check(id: RunnerId, how: 'check' | 'probe', reason: StopReason): Promise<void> {
    const runner = this.#fleet.get(id)
    if (runner?.state !== 'serving') return
    // What a call meets while somebody looks may have happened behind that look: one more comes after it.
    if (this.#checking.has(id)) return void this.#checking.set(id, () => void this.#check(id, how, reason))
    this.#checking.set(id, () => {})
    const declared = how === 'probe' ? this.#memory.revisionOf(id)?.spec.healthCheck : undefined
    using _attended = this.#freezer.hold(id)
    const wrong = await (declared ? this.#probe.whatIsWrong(runner.address, declared) : this.#whyShut(runner))
    const again = this.#checking.get(id)
    this.#checking.delete(id)
    if (wrong === undefined) return again?.()
    const what = declared ? `health check ${declared.method} ${declared.path}` : 'port'
    this.#voices.say(`The ${what} of this runner ${wrong}, so it is replaced.`, runner)
    this.#replace(id, reason)
  }

  async #whyShut({ id, address }: Serving): Promise<string | undefined> {
    const { backend } = this.#parts
    return (await (backend.isListening?.(id) ?? this.#probe.accepts(address))) ? undefined : 'does not answer'
  }

  /** It is no good any more: SIGTERM now, and for what it still does it has its grace, not the time of its requests. */
  #replace(id: RunnerId, reason: StopReason): void {
    this.#end(id, reason, reason === 'killed' ? 0 : this.#graceMs(id)) // who is killed gets no time
  }

  #graceMs(id: RunnerId): number {
    return (this.#memory.revisionOf(id)?.spec.terminationGracePeriodSeconds ?? 0) * 1_000
  }

  /** A pass costs little, but not nothing: it is made at once only where more load wants more runners. */
  #loadChanged(appId: AppId): void {
    if (!this.#pass.wantsMore(appId)) return
    this.#pass.touch(appId)
    this.#loop.wake()
  }

  #lookAt(appId: AppId): void {
    this.#pass.touch(appId)
    this.#loop.wake()
  }

  async #appsChanged(apps: Apps): Promise<void> {
    await apps
      .refresh()
      .catch((error: unknown) => this.#parts.log.warn({ err: error }, 'could not read the apps again'))
    this.#loop.wake()
  }

  /** Only timelines tell of it, so a store that cannot take it is no reason to stop. */
  async #launched(id: RunnerId): Promise<void> {
    const { store, clock, log } = this.#parts
    await store.commit(noteLaunch(id, clock.now())).catch((error: unknown) => {
      log.warn({ err: error, runner: id }, 'it could not be noted when a runner was launched')
    })
  }

  #refused({ runner }: RunnerStart, error: unknown): void {
    const why = error instanceof Error ? error.message : String(error)
    this.#voices.say(`The runner could not be started: ${why}`, runner)
    this.#pass.refused(runner.id)
    this.#loop.wake()
  }
}
