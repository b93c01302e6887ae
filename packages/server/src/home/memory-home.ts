import type { Clock, Moment } from '../kit/clock.ts'
import { CarrickError } from '../domain/errors.ts'
import { fairShareIn } from '../domain/fair-share.ts'
import type { AccountId, AppId, KeyId, RequestId, RunnerId } from '../domain/ids.ts'
import { queueDefaults, type QueueSettings } from '../domain/queue-settings.ts'
import type { QueuedRequest } from '../domain/request.ts'
import type { Apps } from './apps.ts'
import { Crew } from './crew.ts'
import { FreezeCounts } from './freeze-counts.ts'
import type { Home, Homes, Load, Match, ServingRunner, Slot, Started, Thaw } from './home.ts'
import { LatestRequests } from './latest-requests.ts'
import { Queue } from './queue.ts'
import { RequestChanges } from './request-changes.ts'
import { Signal } from './signal.ts'
import { Totals, Traffic } from './traffic.ts'
import { UsageMeter } from './usage-meter.ts'

interface HomeLimits {
  /** Direct callers that may wait for a slot of one app. */
  readonly waitingCallers: number
}

interface KeyNames {
  /** An account's live keys with their aliases. */
  aliasesOf(accountId: AccountId): Iterable<readonly [KeyId, string]>
  /** Calls back whenever keys have been read anew. */
  onRefresh(listener: () => void): void
}

interface HomeParts {
  readonly clock: Clock
  readonly limits: HomeLimits
  /** Who knows what owners say of their queues. Without it nobody has said anything. */
  readonly apps?: Pick<Apps, 'byId' | 'onRefresh'>
  /** Who knows what owners call their keys. Without it they have no names. */
  readonly keys?: KeyNames
}

/** One home per app, in this process, made when it is first asked for; it is told at once of what its app's owner changes. */
export function createHomes(parts: HomeParts): Homes {
  const homes = new Map<AppId, Home>()
  const work = new Signal<AppId>()
  const load = new Signal<AppId>()
  const totals = new Totals()
  const tell = (home: Home): void => {
    const app = parts.apps?.byId(home.appId)?.app
    if (app === undefined) home.configure(queueDefaults)
    else home.configure(app.queue, parts.keys?.aliasesOf(app.accountId))
  }
  for (const source of [parts.apps, parts.keys]) source?.onRefresh(() => homes.forEach((home) => tell(home)))

  function make(appId: AppId): Home {
    const home = new MemoryHome(
      appId,
      { ...parts, totals },
      () => work.raise(appId),
      () => load.raise(appId),
    )
    tell(home)
    homes.set(appId, home)
    return home
  }

  return {
    of: (appId) => homes.get(appId) ?? make(appId),
    find: (appId) => homes.get(appId),
    all: () => homes.values(),
    totals,
    usage: new UsageMeter(parts.clock),
    freezes: new FreezeCounts(),
    requestChanges: new RequestChanges(),
    latest: new LatestRequests(parts.clock),
    letGo: (appId) => void (isDeserted(homes.get(appId)) && homes.delete(appId)),
    onWork: (listener) => work.listen(listener),
    onLoad: (listener) => load.listen(listener),
  }
}

function isDeserted(home: Home | undefined): boolean {
  if (home === undefined || home.queueLength > 0) return false
  const { waiting, running, runners } = home.load()
  return waiting === 0 && running === 0 && runners.size === 0
}

interface DirectCaller {
  readonly requestId: RequestId
  readonly hint: string | undefined
  readonly since: Moment
  readonly serve: (slot: Slot) => void
  readonly turnAway: (reason: Error) => void
}

interface Arrival {
  readonly since: Moment
}

class MemoryHome implements Home {
  readonly appId: AppId
  readonly traffic: Traffic
  readonly #clock: Clock
  readonly #limits: HomeLimits
  readonly #work: () => void
  readonly #load: () => void
  readonly #queue = new Queue()
  readonly #crew: Crew
  /** In the order they came. */
  readonly #callers = new Set<DirectCaller>()
  readonly #started: Match[] = []
  #announced = 0
  /** When those came that are announced as load, oldest first. */
  readonly #arriving = new Set<Arrival>()
  #paused = false
  #turn: 'caller' | 'queue' = 'caller'

  constructor(appId: AppId, parts: HomeParts & { readonly totals: Totals }, work: () => void, load: () => void) {
    const { clock, limits, totals } = parts
    this.appId = appId
    this.traffic = new Traffic(clock, totals)
    this.#clock = clock
    this.#limits = limits
    this.#work = work
    this.#load = load
    this.#crew = new Crew(
      clock,
      () => this.#settle(),
      () => this.#load(),
    )
  }

  get queueLength(): number {
    return this.#queue.size
  }

  get waiting(): number {
    return this.#queue.size + this.#callers.size
  }

  reserve(requestId: RequestId, hint?: string): Slot | undefined {
    return this.#announced === 0 && !this.#paused ? this.#takeFree(requestId, hint) : undefined
  }

  announce({ asLoad } = { asLoad: false }): Disposable {
    this.#announced += 1
    const arrival = asLoad ? this.#arrive() : undefined
    return {
      [Symbol.dispose]: () => {
        this.#announced -= 1
        if (arrival) this.#arriving.delete(arrival)
      },
    }
  }

  admit(request: QueuedRequest, started?: Started): void {
    if (started) this.#started.push({ request, ...started })
    else this.#queue.add(request, this.#clock.now())
    this.#load()
    this.#work()
  }

  acquireNow(requestId: RequestId, hint?: string): Slot | undefined {
    return this.#takeFree(requestId, hint)
  }

  async acquire(requestId: RequestId, signal: AbortSignal, hint?: string): Promise<Slot> {
    signal.throwIfAborted()
    const slot = this.#takeFree(requestId, hint)
    if (slot) return slot
    if (this.#callers.size >= this.#limits.waitingCallers) {
      throw new CarrickError(
        'too_busy',
        `${this.#callers.size} direct calls already wait for this app; try again later or use the queue`,
      )
    }
    return await new Promise<Slot>((resolve, reject) => this.#wait({ requestId, hint }, signal, resolve, reject))
  }

  take(): Match | undefined {
    const started = this.takeStarted()
    if (started) return started
    this.#ripen()
    const request = this.#paused ? undefined : this.#queue.head
    const slot = request && this.#crew.take(request.id, request)
    if (!request || !slot) return undefined
    this.#queue.take()
    this.#turn = 'caller'
    this.#settle()
    return { request, slot }
  }

  takeStarted(): Match | undefined {
    return this.#started.shift()
  }

  withdraw(id: RequestId): boolean {
    const removed = this.#queue.remove(id) !== undefined
    if (removed) this.#settle()
    return removed
  }

  positionOf(id: RequestId): number | undefined {
    this.#ripen()
    return this.#queue.positionOf(id)
  }

  load(): Load {
    return { ...this.demand(), runners: this.#crew.load() }
  }

  demand(): Omit<Load, 'runners'> {
    this.#ripen()
    const [caller] = this.#callers
    const [arriving] = this.#paused ? [] : this.#arriving
    const inLine = this.#paused ? undefined : this.#queue.waitingSince
    const since = Math.min(caller?.since ?? Infinity, inLine ?? Infinity, arriving?.since ?? Infinity)
    return {
      waiting: this.#inLine + this.#callers.size + (this.#paused ? 0 : this.#arriving.size),
      running: this.#crew.running,
      waitingSince: since === Infinity ? undefined : since,
    }
  }

  setRunners(runners: readonly ServingRunner[]): void {
    this.#crew.setRunners(runners)
  }

  retire(id: RunnerId): void {
    this.#crew.retire(id)
    this.#load()
  }

  advertise(id: RunnerId, hints: readonly string[]): void {
    this.#crew.advertise(id, hints)
  }

  setMultiplexing(requestsPerRunner: number): void {
    this.#crew.setMultiplexing(requestsPerRunner)
  }

  freeze(id: RunnerId, thaw: Thaw): boolean {
    return this.#crew.freeze(id, thaw)
  }

  thawed(id: RunnerId): void {
    this.#crew.thawed(id)
  }

  configure(settings: QueueSettings, aliases: Iterable<readonly [KeyId, string]> = []): void {
    this.#queue.share(fairShareIn(settings, aliases))
    if (settings.paused === this.#paused) return
    this.#paused = settings.paused
    this.#load()
    this.#settle()
  }

  clear(reason: Error): void {
    this.#queue.clear()
    this.turnAway(reason)
  }

  turnAway(reason: Error): void {
    for (const caller of this.#callers) caller.turnAway(reason)
  }

  takeOverdue(now: Moment): readonly QueuedRequest[] {
    const overdue = this.#queue.takeOverdue(now)
    if (overdue.length > 0) this.#settle()
    return overdue
  }

  nextMoment(): Moment | undefined {
    return this.#queue.nextMoment()
  }

  /** A retry whose moment has come is load from now on. */
  #ripen(): void {
    if (this.#queue.ripen(this.#clock.now())) this.#load()
  }

  /** How many of the queue are the next to run, as soon as a slot is free. */
  get #inLine(): number {
    return this.#paused ? 0 : this.#queue.due
  }

  /** Where others wait already, it is told of when it does too. */
  #arrive(): Arrival {
    const arrival = { since: this.#clock.now() }
    this.#arriving.add(arrival)
    if (this.#arriving.size === 1 && this.#queue.size === 0) this.#load()
    return arrival
  }

  #takeFree(requestId: RequestId, hint?: string): Slot | undefined {
    this.#ripen()
    if (this.#callers.size > 0 || this.#inLine > 0) return undefined
    const slot = this.#crew.take(requestId, { hint })
    if (slot) this.#load()
    return slot
  }

  #wait(
    { requestId, hint }: Pick<DirectCaller, 'requestId' | 'hint'>,
    signal: AbortSignal,
    resolve: (slot: Slot) => void,
    reject: (reason: unknown) => void,
  ): void {
    const leave = () => {
      this.#callers.delete(caller)
      signal.removeEventListener('abort', giveUp)
    }
    const giveUp = () => (leave(), reject(signal.reason))
    const caller: DirectCaller = {
      requestId,
      hint,
      since: this.#clock.now(),
      serve: (slot) => (leave(), resolve(slot)),
      turnAway: (reason) => (leave(), reject(reason)),
    }
    signal.addEventListener('abort', giveUp, { once: true })
    this.#callers.add(caller)
    this.#load()
  }

  /** Free slots go to direct callers unless it is the queue's turn; what is the queue's is announced as work. */
  #settle(): void {
    while (this.#crew.free > 0 && this.#callers.size > 0 && (this.#turn === 'caller' || this.#inLine === 0)) {
      const [caller] = this.#callers
      const slot = caller && this.#crew.take(caller.requestId, caller)
      if (!slot) break
      this.#turn = 'queue'
      caller.serve(slot)
    }
    if (this.#crew.free > 0 && this.#queue.size > 0 && !this.#paused) this.#work()
  }
}
