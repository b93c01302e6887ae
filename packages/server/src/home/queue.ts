import type { Moment } from '../kit/clock.ts'
import type { FairShare } from '../domain/fair-share.ts'
import type { KeyId, RequestId } from '../domain/ids.ts'
import type { QueuedRequest, RetryPolicy } from '../domain/request.ts'
import { FairLane } from './fair-lane.ts'
import { bySeq, FifoLane, type Lane } from './lane.ts'
import { Sorted } from './sorted.ts'

const byDue = (a: QueuedRequest, b: QueuedRequest): number => a.dueAt - b.dueAt || bySeq(a, b)
const byStart = (a: QueuedRequest, b: QueuedRequest): number => (a.startBy ?? 0) - (b.startBy ?? 0) || bySeq(a, b)

/**
 * The waiting requests of one app. In line by `seq` within their priority once they are due, or within priority and
 * caller where callers take turns; a retry that is not due yet stands aside and keeps its place.
 */
export class Queue {
  readonly #byId = new Map<RequestId, QueuedRequest>()
  /** Each key once, however many requests it has here. */
  readonly #keys = new Map<KeyId, KeyId>()
  #normal: Lane = new FifoLane()
  #low: Lane = new FifoLane()
  readonly #aside = new Sorted(byDue)
  readonly #deadlines = new Sorted(byStart)

  get size(): number {
    return this.#byId.size
  }

  /** How many are in line. */
  get due(): number {
    return this.#normal.size + this.#low.size
  }

  get head(): QueuedRequest | undefined {
    return this.#normal.first ?? this.#low.first
  }

  /** When the longest-waiting of those in line came. */
  get waitingSince(): Moment | undefined {
    const [normal, low] = [this.#normal.oldest?.acceptedAt, this.#low.oldest?.acceptedAt]
    return normal === undefined || low === undefined ? (normal ?? low) : Math.min(normal, low)
  }

  add(request: QueuedRequest, now: Moment): void {
    const entry = entryOf(request, this.#sameKey(request.keyId))
    this.#byId.set(entry.id, entry)
    if (entry.startBy !== undefined) this.#deadlines.add(entry)
    if (entry.dueAt > now) this.#aside.add(entry)
    else this.#lane(entry).add(entry)
  }

  /** Takes out one that leaves without being served. */
  remove(id: RequestId): QueuedRequest | undefined {
    const entry = this.#byId.get(id)
    if (entry === undefined) return undefined
    if (!this.#lane(entry).remove(entry)) this.#aside.remove(entry)
    return this.#left(entry)
  }

  /** Takes out the head, to be served: its caller has had a turn. */
  take(): QueuedRequest | undefined {
    const entry = this.#normal.shift() ?? this.#low.shift()
    return entry && this.#left(entry)
  }

  /** Lets those stand in line whose moment has come. Answers whether there were any. */
  ripen(now: Moment): boolean {
    let any = false
    while ((this.#aside.first?.dueAt ?? Infinity) <= now) {
      const entry = this.#aside.shift()!
      this.#lane(entry).add(entry)
      any = true
    }
    return any
  }

  takeOverdue(now: Moment): readonly QueuedRequest[] {
    const overdue: QueuedRequest[] = []
    while ((this.#deadlines.first?.startBy ?? Infinity) <= now) {
      const entry = this.#deadlines.first!
      this.remove(entry.id)
      overdue.push(entry)
    }
    return overdue
  }

  /** How many will be served before it as things stand. */
  positionOf(id: RequestId): number | undefined {
    const entry = this.#byId.get(id)
    if (entry === undefined) return undefined
    return this.#lane(entry).rankOf(entry) + (entry.priority === 'low' ? this.#normal.size : 0)
  }

  /** When one becomes due or overdue. */
  nextMoment(): Moment | undefined {
    const next = Math.min(this.#aside.first?.dueAt ?? Infinity, this.#deadlines.first?.startBy ?? Infinity)
    return next === Infinity ? undefined : next
  }

  /** Lets callers take turns, or no longer (undefined). Nobody leaves the queue by it. */
  share(fair: FairShare | undefined): void {
    this.#normal = relined(this.#normal, fair)
    this.#low = relined(this.#low, fair)
  }

  clear(): void {
    this.#byId.clear()
    this.#keys.clear()
    for (const line of [this.#normal, this.#low, this.#aside, this.#deadlines]) line.clear()
  }

  #lane(entry: QueuedRequest): Lane {
    return entry.priority === 'low' ? this.#low : this.#normal
  }

  #left(entry: QueuedRequest): QueuedRequest {
    this.#byId.delete(entry.id)
    if (entry.startBy !== undefined) this.#deadlines.remove(entry)
    if (this.#byId.size === 0) this.#keys.clear()
    return entry
  }

  #sameKey(keyId: KeyId | undefined): KeyId | undefined {
    if (keyId === undefined) return undefined
    const known = this.#keys.get(keyId)
    if (known === undefined) this.#keys.set(keyId, keyId)
    return known ?? keyId
  }
}

/** The same requests in a lane of the wanted kind. */
function relined(lane: Lane, fair: FairShare | undefined): Lane {
  if (lane instanceof FairLane && fair !== undefined) {
    lane.reweigh(fair)
    return lane
  }
  if (lane instanceof FifoLane && fair === undefined) return lane
  const next = fair === undefined ? new FifoLane() : new FairLane(fair)
  for (const request of lane) next.add(request)
  return next
}

const usualRetry: RetryPolicy = { forbidden: false, budgets: {} }

/** Only what a queue needs, and one object for the usual word on retries: a million of these must fit into memory. */
function entryOf(request: QueuedRequest, keyId: KeyId | undefined): QueuedRequest {
  const { id, appId, seq, priority, attempt, dueAt, acceptedAt, startBy, retry, used, avoid, hint } = request
  const entry = {
    id,
    appId,
    keyId,
    seq,
    priority,
    attempt,
    dueAt,
    acceptedAt,
    startBy,
    retry: retry.forbidden || Object.keys(retry.budgets).length > 0 ? retry : usualRetry,
    used: Object.keys(used).length > 0 ? used : usualRetry.budgets,
    avoid,
  }
  return hint === undefined ? entry : { ...entry, hint }
}
