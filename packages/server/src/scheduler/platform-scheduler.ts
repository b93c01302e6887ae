import type { ExecCommand, ExecSession, RunnerUsage } from '../backends/backend.ts'
import type { Decisions } from '../domain/decision.ts'
import type { AccountId, AppId, RevisionId, RunnerId } from '../domain/ids.ts'
import type { Maintained, Maintenance } from '../domain/maintenance.ts'
import type { Placed, Unplaced } from '../domain/placement.ts'
import type { RunnerView } from '../domain/runner-view.ts'
import type { EndReason, Exceeded, StopReason, Terminated } from '../domain/runner.ts'
import type { Apps } from '../home/apps.ts'
import type { Moment } from '../kit/clock.ts'
import { startLoop, type Loop } from '../kit/loop.ts'
import type { LogLine } from '../logs/log-store.ts'
import { noteLaunch } from '../store/timelines.ts'
import { unknownRunner, type Wish } from './asks.ts'
import { AppNews } from './app-news.ts'
import { DecisionKeeper } from './decision-keeper.ts'
import { Fleet } from './fleet.ts'
import type { RunnerStart } from './launch.ts'
import { Maintenances } from './maintenances.ts'
import { membersOf, type MemberEvents, type Members } from './members.ts'
import { Pass } from './pass.ts'
import { endFormerRunners, endFormerRuns } from './recover.ts'
import type { HostFollower } from './runs.ts'
import type { Scheduler, SchedulerParts } from './scheduler.ts'
import { endAllRunners } from './shutdown.ts'

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
/** What a run may still do after its caller has gone. */
const lastSecondMs = 1_000

class PlatformScheduler implements Scheduler {
  readonly #parts: SchedulerParts
  readonly #fleet: Fleet
  readonly #maintenances: Maintenances
  readonly #own: Members
  readonly #pass: Pass
  readonly #loop: Loop
  readonly #decisionKeeper: DecisionKeeper
  readonly #ending = new AbortController()

  constructor(parts: SchedulerParts, fleet: Fleet, maintenances: Maintenances) {
    const { store, log, everyMs } = parts
    this.#parts = parts
    this.#fleet = fleet
    this.#maintenances = maintenances
    this.#own = membersOf(parts, { fleet, maintenances, events: this.#events(), ending: this.#ending.signal })
    this.#pass = new Pass({ ...parts, ...this.#own, fleet, maintenances, wake: () => this.#loop.wake() })
    this.#loop = startLoop((signal) => this.#pass.run(signal), { name: 'scheduler', everyMs, log })
    this.#decisionKeeper = new DecisionKeeper({ decisions: this.#own.decisions, store, log })
    this.#listen()
  }

  #events(): MemberEvents {
    return {
      onNews: (appId) => this.#lookAt(appId),
      onSeen: () => this.#loop.wake(),
      onLaunched: (id) => this.#launched(id),
      onRefused: (start, error) => this.#refused(start, error),
      end: (id, reason) => this.#end(id, reason, 0),
      replace: (id, reason) => this.#replace(id, reason),
    }
  }

  #listen(): void {
    const { backend, apps, homes, store } = this.#parts
    const { sightings, voices } = this.#own
    backend.onChange((id) => (sightings.expectChange(id), this.#loop.wake()))
    backend.onOutput((output) => voices.heard(output))
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
    this.#own.placing.lookAgain()
    await this.look()
  }

  placed(): readonly Placed[] {
    return this.#own.roster.placed()
  }

  listing(accountId: AccountId, endedSince?: Moment): Promise<readonly RunnerView[]> {
    return this.#own.roster.of(accountId, endedSince)
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
    const attended = await this.#own.freezer.attend(id)
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
    if (verdict === 'terminate') this.#replace(id, reason)
    else void this.#own.verdicts.check(id, verdict, reason)
  }

  whatExceeded(id: RunnerId): Promise<Exceeded | undefined> {
    return this.#own.postMortems.whatExceeded(id)
  }

  decisions(appId: AppId): Decisions {
    return { now: this.#pass.decide(appId), kept: this.#own.decisions.of(appId) }
  }

  warm(appId: AppId, revisionId: RevisionId): void {
    this.#own.memory.warm(appId, revisionId)
    this.#pass.touch(appId)
    this.#loop.wake()
  }

  startFailureOf(appId: AppId): EndReason | undefined {
    const active = this.#parts.apps.byId(appId)?.active
    return active && this.#own.memory.failedStarts.get(active.id)?.reason
  }

  isOverBudget(appId: AppId): boolean {
    const { apps, budgets, clock } = this.#parts
    const accountId = apps.byId(appId)?.app.accountId
    if (accountId === undefined || budgets.spentOf(accountId, clock.now()) === undefined) return false
    return this.#fleet.ofApp(appId).every(({ state }) => state === 'pending' || state === 'draining')
  }

  unplacedOf(appId: AppId): Unplaced | undefined {
    const reasons = this.#fleet.ofApp(appId).map(({ id }) => this.#own.placing.whyUnplaced(id))
    return reasons.find((why) => why !== undefined)
  }

  followRun(appId: AppId, say: (line: LogLine) => void): Promise<Terminated> {
    return this.#own.runs.follow(appId, say)
  }

  endRun(appId: AppId): void {
    this.#own.runs.end(appId)
    this.#pass.touch(appId)
    for (const { id } of this.#fleet.ofApp(appId)) this.#end(id, 'app_deleted', lastSecondMs)
    this.#loop.wake()
  }

  followHost(appId: AppId, follower: HostFollower): () => void {
    return this.#own.runs.followHost(appId, follower)
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
    this.#own.health.close()
    this.#own.documents.close()
    const { homes } = this.#parts
    await endAllRunners(
      {
        ...this.#parts,
        fleet: this.#fleet,
        hands: this.#own.hands,
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

  /** It is no good any more: SIGTERM now, and for what it still does it has its grace, not the time of its requests. */
  #replace(id: RunnerId, reason: StopReason): void {
    this.#end(id, reason, reason === 'killed' ? 0 : this.#graceMs(id)) // who is killed gets no time
  }

  #graceMs(id: RunnerId): number {
    return (this.#own.memory.revisionOf(id)?.spec.terminationGracePeriodSeconds ?? 0) * 1_000
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
    this.#own.voices.say(`The runner could not be started: ${why}`, runner)
    this.#pass.refused(runner.id)
    this.#loop.wake()
  }
}
