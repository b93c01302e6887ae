/**
 * Dispatcher: brings waiting requests to free slots and sees each to its one outcome.
 * Reads homes and payloads, writes attempts and outcomes, calls runners. One per home, that is one per installation.
 */
import { setTimeout as rest } from 'node:timers/promises'
import { CarrickError } from '../domain/errors.ts'
import type { AppId, RequestId } from '../domain/ids.ts'
import { HeldBack } from './held-back.ts'
import { cancelledOutcome, overdueOutcome } from '../domain/outcome.ts'
import type { Home, Match } from '../home/home.ts'
import type { Moment } from '../kit/clock.ts'
import { appsWithUnfinished, completeWaiting, completeWaitingOf, newestSeq, requestCancel } from '../store/requests.ts'
import type { Cancelled } from '../store/requests.ts'
import { Alarms } from './alarms.ts'
import { flush } from './flush.ts'
import { persist } from './persist.ts'
import { recoverApp } from './recover.ts'
import { serve } from './serve.ts'
import type { InFlight, ServeParts } from './serve.ts'
import { goneOutcome } from './settle.ts'

export type DispatcherParts = Omit<ServeParts, 'signal' | 'holdBack'>

export interface Dispatcher {
  /** Fills the homes with what the store holds, and decides about what was running when the platform ended. */
  recover(): Promise<void>
  /** Ends a request that waits; asks the app to stop one that runs. */
  cancel(requestId: RequestId): Promise<Cancelled>
  /** Ends all that waits for an app, of one caller or of everybody, and tells how many. What runs goes on. */
  flush(appId: AppId, callerId?: string): Promise<number>
  /** Looks at every home now. Nobody needs to but those who move the clock. */
  wake(): void
  /** Starts nothing more and waits for what runs, direct calls too. What still does after `graceMs` is cut off: the next start decides about it. */
  stop(limits: { graceMs: number }): Promise<void>
}

export function startDispatcher(parts: DispatcherParts): Dispatcher {
  return new HomeDispatcher(parts)
}

/** How many requests of a deleted app end in one write. */
const endTogether = 1_000
const lookEveryMs = 10

class HomeDispatcher implements Dispatcher {
  readonly #parts: ServeParts
  readonly #cutOff = new AbortController()
  readonly #alarms: Alarms
  readonly #heldBack: HeldBack
  readonly #inFlight: InFlight = new Map()
  readonly #work = new Set<Promise<void>>()
  #stopped = false

  constructor(parts: DispatcherParts) {
    this.#heldBack = new HeldBack(parts.clock)
    this.#parts = { ...parts, signal: this.#cutOff.signal, holdBack: (home) => this.#heldBack.add(home) }
    this.#alarms = new Alarms(parts.clock, (appId) => this.#pump(appId))
    parts.homes.onWork((appId) => this.#pump(appId))
    parts.store.onChange('retention', () => parts.homes.latest.forgetEnded())
    parts.store.onChange('app', () => this.#do(this.#noticeDeletions()))
  }

  async recover(): Promise<void> {
    const { store } = this.#parts
    // Workflows that were taken up again send requests while others are still being read: those are nobody's past.
    const upTo = await store.read(newestSeq())
    const apps = await store.read(appsWithUnfinished())
    for (const appId of apps) await recoverApp(appId, upTo, this.#parts)
  }

  async cancel(requestId: RequestId): Promise<Cancelled> {
    const { store, homes, clock, caller } = this.#parts
    const outcome = cancelledOutcome(requestId)
    const cancelled = await store.commit(requestCancel({ requestId, outcome, now: clock.now() }))
    if (cancelled === 'asked') this.#inFlight.get(requestId)?.cancel(caller)
    // A home that no longer has it has matched it: then the store refuses to start the attempt.
    if (cancelled === 'ended') for (const home of homes.all()) if (home.withdraw(requestId)) break
    homes.requestChanges.tell(requestId)
    return cancelled
  }

  flush(appId: AppId, callerId?: string): Promise<number> {
    return flush(appId, callerId, this.#parts)
  }

  wake(): void {
    for (const { appId } of this.#parts.homes.all()) this.#pump(appId)
  }

  async stop({ graceMs }: { graceMs: number }): Promise<void> {
    this.#stopped = true
    this.#alarms.clear()
    const grace = new AbortController()
    await Promise.race([this.#quiet(grace.signal), rest(graceMs, undefined, { signal: grace.signal }).catch(() => {})])
    grace.abort()
    this.#cutOff.abort()
    await this.#idle()
  }

  /** One look at a home: what is overdue ends, what meets a slot runs. What was stored as started is sent to the last. */
  #pump(appId: AppId): void {
    const { homes, apps, clock } = this.#parts
    const home = homes.of(appId)
    this.#serveAll(home, () => home.takeStarted())
    if (this.#stopped) return
    if (apps.byId(appId) === undefined) this.#do(this.#empty(home))
    for (const { id } of home.takeOverdue(clock.now())) this.#do(this.#endOverdue(id))
    const heldUntil = this.#heldBack.until(appId)
    if (heldUntil === undefined) this.#serveAll(home, () => home.take())
    this.#alarms.set(appId, earlier(heldUntil, home.nextMoment()))
    if (apps.byId(appId) === undefined) homes.letGo(appId)
  }

  #serveAll(home: Home, take: () => Match | undefined): void {
    for (let match = take(); match; match = take()) this.#do(serve(match, home, this.#parts, this.#inFlight))
  }

  async #endOverdue(requestId: RequestId): Promise<void> {
    const { clock, homes } = this.#parts
    await persist(completeWaiting({ requestId, outcome: overdueOutcome(requestId), now: clock.now() }), this.#parts)
    homes.requestChanges.tell(requestId)
  }

  async #noticeDeletions(): Promise<void> {
    await this.#parts.apps.refresh()
    this.wake()
  }

  /** Nobody will ever serve those who wait for a deleted app. */
  async #empty(home: Home): Promise<void> {
    const waiting = home.queueLength
    home.clear(new CarrickError('app_not_found', 'The app was deleted while the call waited'))
    if (waiting === 0) return
    const { clock, homes } = this.#parts
    let ended: number
    do {
      const end = { outcome: goneOutcome(), now: clock.now(), limit: endTogether }
      ended = await persist(completeWaitingOf(home.appId, end), this.#parts)
    } while (ended === endTogether)
    homes.requestChanges.tellAll()
  }

  /** Nothing runs, and nobody holds a slot: whoever does may be storing a request together with its first attempt's start. */
  async #quiet(signal: AbortSignal): Promise<void> {
    const isHeld = () => [...this.#parts.homes.all()].some((home) => home.load().running > 0)
    do {
      await this.#idle()
      if (!isHeld()) return
      await rest(lookEveryMs, undefined, { signal }).catch(() => {})
    } while (!signal.aborted)
  }

  async #idle(): Promise<void> {
    while (this.#work.size > 0) await Promise.all(this.#work)
  }

  /** Nothing that goes wrong in the work ends the process, and nothing of it is silent. */
  #do(work: Promise<void>): void {
    const guarded = work.catch((error: unknown) => this.#report(error)).finally(() => this.#work.delete(guarded))
    this.#work.add(guarded)
  }

  #report(error: unknown): void {
    if (this.#cutOff.signal.aborted) return
    this.#parts.log.error(
      { err: error },
      'the dispatcher met something unforeseen; requests it concerns wait for a restart',
    )
  }
}

function earlier(a: Moment | undefined, b: Moment | undefined): Moment | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b)
}
