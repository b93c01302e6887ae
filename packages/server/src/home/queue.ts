import type { Moment } from '../kit/clock.ts'
import type { RequestId } from '../domain/ids.ts'
import type { QueuedRequest, RetryPolicy } from '../domain/request.ts'
import { Sorted } from './sorted.ts'

const bySeq = (a: QueuedRequest, b: QueuedRequest): number => a.seq - b.seq
const byDue = (a: QueuedRequest, b: QueuedRequest): number => a.dueAt - b.dueAt || bySeq(a, b)
const byStart = (a: QueuedRequest, b: QueuedRequest): number => (a.startBy ?? 0) - (b.startBy ?? 0) || bySeq(a, b)

/**
 * The waiting requests of one app. In line by `seq` within their priority once they are due; a retry that is not due
 * yet stands aside and keeps its place.
 */
export class Queue {
  readonly #byId = new Map<RequestId, QueuedRequest>()
  readonly #normal = new Sorted(bySeq)
  readonly #low = new Sorted(bySeq)
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
    const [normal, low] = [this.#normal.first?.acceptedAt, this.#low.first?.acceptedAt]
    return normal === undefined || low === undefined ? (normal ?? low) : Math.min(normal, low)
  }

  add(request: QueuedRequest, now: Moment): void {
    const entry = entryOf(request)
    this.#byId.set(entry.id, entry)
    if (entry.startBy !== undefined) this.#deadlines.add(entry)
    if (entry.dueAt > now) this.#aside.add(entry)
    else this.#lane(entry).add(entry)
  }

  remove(id: RequestId): QueuedRequest | undefined {
    const entry = this.#byId.get(id)
    if (entry === undefined) return undefined
    this.#byId.delete(id)
    if (!this.#lane(entry).remove(entry)) this.#aside.remove(entry)
    if (entry.startBy !== undefined) this.#deadlines.remove(entry)
    return entry
  }

  /** Lets those stand in line whose moment has come. */
  ripen(now: Moment): void {
    while ((this.#aside.first?.dueAt ?? Infinity) <= now) {
      const entry = this.#aside.shift()!
      this.#lane(entry).add(entry)
    }
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

  clear(): void {
    this.#byId.clear()
    for (const line of [this.#normal, this.#low, this.#aside, this.#deadlines]) line.clear()
  }

  #lane(entry: QueuedRequest): Sorted<QueuedRequest> {
    return entry.priority === 'low' ? this.#low : this.#normal
  }
}

const usualRetry: RetryPolicy = { forbidden: false, budgets: {} }

/** Only what a queue needs, and one object for the usual word on retries: a million of these must fit into memory. */
function entryOf(request: QueuedRequest): QueuedRequest {
  const { id, appId, seq, priority, attempt, dueAt, acceptedAt, startBy, retry, used, avoid, hint } = request
  const entry = {
    id,
    appId,
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
