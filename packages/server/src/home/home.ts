import type { Moment } from '../kit/clock.ts'
import type { AppId, KeyId, RequestId, RevisionId, RunnerId } from '../domain/ids.ts'
import type { QueueSettings } from '../domain/queue-settings.ts'
import type { QueuedRequest, RequestPayload } from '../domain/request.ts'
import type { Held } from '../domain/runner-view.ts'
import type { Address } from '../domain/runner.ts'
import type { FreezeCounts } from './freeze-counts.ts'
import type { LatestRequests } from './latest-requests.ts'
import type { RequestChanges } from './request-changes.ts'
import type { Totals, Traffic } from './traffic.ts'
import type { UsageMeter } from './usage-meter.ts'

/** A place on a serving runner, held by one request. Given back once, by `release` or at the end of a `using`. */
export interface Slot extends Disposable {
  readonly runnerId: RunnerId
  readonly revisionId: RevisionId
  readonly address: Address
  readonly cameUp: ServingRunner['cameUp']
  /** Present while its runner is frozen: nothing may be sent to it before this has resolved. Rejects when it stays frozen. */
  readonly thaw?: Thaw | undefined
  release(): void
  /** Hands the slot on: the end of the `using` no longer gives it back, `release` of what is returned does. */
  keep(): Slot
}

/** Lets a frozen runner go on. To be called as often as one likes. */
export type Thaw = () => Promise<void>

/** A serving runner, as a home needs to know it. */
export interface ServingRunner {
  readonly id: RunnerId
  readonly revisionId: RevisionId
  readonly address: Address
  /** It gets a request only where no other runner has a free slot: it hands over to those of another revision. */
  readonly spare?: boolean
  /** Requests that it takes at a time, where that is not what the app's others take. */
  readonly atOnce?: number
  /** From when it was wanted until it served; absent for what is always there. */
  readonly cameUp?: { readonly createdAt: Moment; readonly readyAt: Moment } | undefined
}

/** What the scheduler counts. */
export interface Load {
  /** Queued requests that are due or about to be stored, unless their queue is paused, and direct callers, without a slot. */
  readonly waiting: number
  readonly running: number
  /** When the longest-waiting of them came; undefined when none waits. */
  readonly waitingSince?: Moment
  /** Serving runners, and former ones for as long as they have something in flight. */
  readonly runners: ReadonlyMap<RunnerId, RunnerLoad>
}

export interface RunnerLoad {
  readonly inFlight: number
  /** Since when nothing is in flight; undefined while something is. */
  readonly idleSince?: Moment
  /** Whether it ever had a request. */
  readonly used: boolean
  /** Since when it is frozen. */
  readonly frozenSince?: Moment | undefined
  /** Requests in flight, for listings. */
  readonly requests: readonly Held[]
}

/** A first attempt whose start was stored together with its request, and what it sends. */
export interface Started {
  readonly slot: Slot
  readonly startedAt: Moment
  readonly payload: RequestPayload
}

/** A queued request that met a slot. With a payload its first attempt is on disk already. */
export interface Match {
  readonly request: QueuedRequest
  readonly slot: Slot
  readonly payload?: RequestPayload
  readonly startedAt?: Moment
}

/**
 * One app's queue, slots and waiting calls, in memory: what the store says, ready to use. One per app.
 * A free slot goes by turns to the longest-waiting direct caller and to the head of the queue (by `seq` within
 * priority, or within priority and caller where callers take turns; retries when due). Who has a hint gets a free slot on
 * a runner that advertises just that, else any.
 */
export interface Home {
  readonly appId: AppId
  /** What came to the app, and what became of it. */
  readonly traffic: Traffic
  /** Takes a free slot for a request of the queue when nobody waits, nor is announced. */
  reserve(requestId: RequestId, hint?: string): Slot | undefined
  /**
   * Says that a request without a slot is on its way to the disk: until this is disposed of, none of the queue overtakes
   * it. `asLoad`: it waits already, so that a runner can be on its way while it is.
   */
  announce(options?: { readonly asLoad: boolean }): Disposable
  /** Puts a request into the queue. It was stored before; when its first attempt was stored with it, that goes straight on. */
  admit(request: QueuedRequest, started?: Started): void
  /** Waits by turns for a slot, for a direct call. Rejects with the signal's reason; with `too_busy` beyond the bound on waiting callers. */
  acquire(requestId: RequestId, signal: AbortSignal, hint?: string): Promise<Slot>
  /** A slot for a direct call when one is free and nobody waits for it. */
  acquireNow(requestId: RequestId, hint?: string): Slot | undefined
  /** The next request and its slot, or undefined. The request leaves the queue. */
  take(): Match | undefined
  /** The next of those only whose first attempt is on disk already. */
  takeStarted(): Match | undefined
  /** Takes a waiting request out of the queue. False when it is not waiting here. */
  withdraw(id: RequestId): boolean
  /** How many are served before it as things stand; undefined when it does not wait here. */
  positionOf(id: RequestId): number | undefined
  /** Waiting queued requests. */
  readonly queueLength: number
  /** They and the direct callers that wait: also who is no load now, because the queue is paused or the next attempt is not due. */
  readonly waiting: number
  load(): Load
  /** The same without its runners: it costs the same however many there are. */
  demand(): Omit<Load, 'runners'>
  /** The runners that may get requests from now on, all of them. Slots on others stay until they are given back. */
  setRunners(runners: readonly ServingRunner[]): void
  /** Gives this runner no more requests, whatever `setRunners` still says of it: it has failed and is about to go. */
  retire(id: RunnerId): void
  /** What this runner is good for now, in the words of its app: instead of what it said before. */
  advertise(id: RunnerId, hints: readonly string[]): void
  setMultiplexing(requestsPerRunner: number): void
  /**
   * From now on this runner is frozen, and idle as before: it gets requests where no other has a free slot, and their slots
   * have `thaw`, until `thawed` is called. False where it is busy, or gets no requests: then it must not be.
   */
  freeze(id: RunnerId, thaw: Thaw): boolean
  /** It is frozen no more. */
  thawed(id: RunnerId): void
  /**
   * What the app's owner says of the queue, from now on. While it is paused, none of it meets a slot, and it is no load.
   * Where it is shared fairly, callers take turns within a priority, by the weights of their keys; direct calls are in
   * the order they came either way. `aliases` are those of the owner's keys.
   */
  configure(queue: QueueSettings, aliases?: Iterable<readonly [KeyId, string]>): void
  /** Turns everybody away who waits: direct callers get the reason, queued requests are forgotten. */
  clear(reason: Error): void
  /** Answers the direct callers that wait: no slot will become free for them. The queue stays. */
  turnAway(reason: Error): void
  /** Waiting requests whose start deadline has passed; they leave the queue. */
  takeOverdue(now: Moment): readonly QueuedRequest[]
  /** The next moment at which a waiting request becomes due or overdue. */
  nextMoment(): Moment | undefined
}

/**
 * All homes. Listeners hear of apps where something can be dispatched, and of apps whose load has grown, or where a
 * former runner has given back its last slot.
 */
export interface Homes {
  /** The app's home, made when it is first asked for. */
  of(appId: AppId): Home
  /** The app's home, if it has one. */
  find(appId: AppId): Home | undefined
  /** Apps that have a home: those with requests or runners. */
  all(): Iterable<Home>
  /** Forgets the home of an app that is gone, unless somebody waits, runs or serves there. Whoever needs it asks for a new one. */
  letGo(appId: AppId): void
  /** What came to all apps. */
  readonly totals: Readonly<Totals>
  /** Who uses which runner. */
  readonly usage: UsageMeter
  /** How often runners of all apps were frozen, and went on. */
  readonly freezes: FreezeCounts
  /** Whoever changes the state of a queued request tells it here, for those who wait for that. */
  readonly requestChanges: RequestChanges
  /** Requests that run or have just ended. */
  readonly latest: LatestRequests
  onWork(listener: (appId: AppId) => void): void
  onLoad(listener: (appId: AppId) => void): void
}
