import type { Clock, Moment } from '../kit/clock.ts'
import { CarrickError } from '../domain/errors.ts'
import type { AppId, RequestId, RunnerId } from '../domain/ids.ts'
import type { QueuedRequest } from '../domain/request.ts'
import { Crew } from './crew.ts'
import type { Home, Homes, Load, Match, ServingRunner, Slot, Started } from './home.ts'
import { Queue } from './queue.ts'
import { RequestChanges } from './request-changes.ts'
import { Signal } from './signal.ts'
import { Totals, Traffic } from './traffic.ts'

interface HomeLimits {
  /** Direct callers that may wait for a slot of one app. */
  readonly waitingCallers: number
}

interface HomeParts {
  readonly clock: Clock
  readonly limits: HomeLimits
}

/** One home per app, in this process, made when it is first asked for. */
export function createHomes(parts: HomeParts): Homes {
  const homes = new Map<AppId, Home>()
  const work = new Signal<AppId>()
  const load = new Signal<AppId>()
  const totals = new Totals()

  function make(appId: AppId): Home {
    const home = new MemoryHome(
      appId,
      { ...parts, totals },
      () => work.raise(appId),
      () => load.raise(appId),
    )
    homes.set(appId, home)
    return home
  }

  return {
    of: (appId) => homes.get(appId) ?? make(appId),
    all: () => homes.values(),
    totals,
    requestChanges: new RequestChanges(),
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
  readonly since: Moment
  readonly serve: (slot: Slot) => void
  readonly turnAway: (reason: Error) => void
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

  reserve(requestId: RequestId): Slot | undefined {
    return this.#announced === 0 ? this.#takeFree(requestId) : undefined
  }

  announce(): Disposable {
    this.#announced += 1
    return { [Symbol.dispose]: () => void (this.#announced -= 1) }
  }

  admit(request: QueuedRequest, started?: Started): void {
    if (started) this.#started.push({ request, ...started })
    else this.#queue.add(request, this.#clock.now())
    this.#load()
    this.#work()
  }

  async acquire(requestId: RequestId, signal: AbortSignal): Promise<Slot> {
    signal.throwIfAborted()
    const slot = this.#takeFree(requestId)
    if (slot) return slot
    if (this.#callers.size >= this.#limits.waitingCallers) {
      throw new CarrickError(
        'too_busy',
        `${this.#callers.size} direct calls already wait for this app; try again later or use the queue`,
      )
    }
    return await new Promise<Slot>((resolve, reject) => this.#wait(requestId, signal, resolve, reject))
  }

  take(): Match | undefined {
    const started = this.takeStarted()
    if (started) return started
    this.#queue.ripen(this.#clock.now())
    const request = this.#queue.head
    const slot = request && this.#crew.take(request.id, request.avoid)
    if (!request || !slot) return undefined
    this.#queue.remove(request.id)
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
    this.#queue.ripen(this.#clock.now())
    return this.#queue.positionOf(id)
  }

  load(): Load {
    this.#queue.ripen(this.#clock.now())
    const [caller] = this.#callers
    const since = Math.min(caller?.since ?? Infinity, this.#queue.waitingSince ?? Infinity)
    return {
      waiting: this.#queue.due + this.#callers.size,
      running: this.#crew.running,
      waitingSince: since === Infinity ? undefined : since,
      runners: this.#crew.load(),
    }
  }

  setRunners(runners: readonly ServingRunner[]): void {
    this.#crew.setRunners(runners)
  }

  retire(id: RunnerId): void {
    this.#crew.retire(id)
    this.#load()
  }

  setMultiplexing(requestsPerRunner: number): void {
    this.#crew.setMultiplexing(requestsPerRunner)
  }

  clear(reason: Error): void {
    this.#queue.clear()
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

  #takeFree(requestId: RequestId): Slot | undefined {
    this.#queue.ripen(this.#clock.now())
    if (this.#callers.size > 0 || this.#queue.due > 0) return undefined
    const slot = this.#crew.take(requestId)
    if (slot) this.#load()
    return slot
  }

  #wait(
    requestId: RequestId,
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
    while (this.#crew.free > 0 && this.#callers.size > 0 && (this.#turn === 'caller' || this.#queue.due === 0)) {
      const [caller] = this.#callers
      const slot = caller && this.#crew.take(caller.requestId)
      if (!slot) break
      this.#turn = 'queue'
      caller.serve(slot)
    }
    if (this.#crew.free > 0 && this.#queue.size > 0) this.#work()
  }
}
