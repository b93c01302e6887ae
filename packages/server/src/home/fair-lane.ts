import { shareOf, weightOf, type FairShare } from '../domain/fair-share.ts'
import type { QueuedRequest } from '../domain/request.ts'
import { bySeq, type Lane } from './lane.ts'
import { Sorted } from './sorted.ts'

/**
 * What one turn costs a caller of weight 1. Many weights divide it, so that all sums are whole and exact: it takes years
 * at a thousand turns a second before they leave the numbers that are.
 */
const turn = 720_720

/** One caller's requests in the lane. */
interface Share {
  readonly caller: string
  /** Decides between turns of the same moment: who joined first. */
  readonly joined: number
  readonly line: Sorted<QueuedRequest>
  stride: number
  /** The virtual moment of its next turn. */
  next: number
}

const byTurn = (a: Share, b: Share): number => a.next - b.next || a.joined - b.joined

/**
 * Weighted round-robin among callers, by stride scheduling (Waldspurger and Weihl, 1995): every turn moves a caller's
 * next one on by the inverse of its weight, and the caller with the earliest is served. Within a caller the order is that
 * of `seq`. Who has had more than its share and has nothing waiting is remembered until the others have caught up, so
 * that sending one at a time is no way past them.
 */
export class FairLane implements Lane {
  readonly #shares = new Map<string, Share>()
  /** None with nothing waiting is in front. */
  readonly #turns = new Sorted(byTurn)
  /** All of them as they came. */
  readonly #all = new Sorted(bySeq)
  #fair: FairShare
  /** The virtual moment of the last turn: where newcomers join. */
  #now = 0
  #joined = 0

  constructor(fair: FairShare) {
    this.#fair = fair
  }

  get size(): number {
    return this.#all.size
  }

  get first(): QueuedRequest | undefined {
    return this.#turns.first?.line.first
  }

  get oldest(): QueuedRequest | undefined {
    return this.#all.first
  }

  add(request: QueuedRequest): void {
    const caller = shareOf(request)
    const share = this.#shares.get(caller) ?? this.#join(caller)
    share.line.add(request)
    this.#all.add(request)
  }

  remove(request: QueuedRequest): boolean {
    const share = this.#shares.get(shareOf(request))
    if (share === undefined || !share.line.remove(request)) return false
    this.#all.remove(request)
    if (share.line.size === 0 && share.next <= this.#now) this.#forget(share)
    this.#tidy()
    return true
  }

  shift(): QueuedRequest | undefined {
    const share = this.#turns.shift()
    const request = share?.line.shift()
    if (share === undefined || request === undefined) return undefined
    this.#all.remove(request)
    this.#now = share.next
    share.next += share.stride
    this.#turns.add(share)
    this.#tidy()
    return request
  }

  /** Exact: it adds up the turns that come before, with one look at every caller. */
  rankOf(request: QueuedRequest): number {
    const caller = shareOf(request)
    const own = this.#shares.get(caller) ?? this.#newShare(caller)
    const before = own.line.rankOf(request)
    const moment = own.next + before * own.stride
    let rank = before
    for (const other of this.#shares.values()) if (other !== own) rank += turnsBefore(other, moment, own.joined)
    return rank
  }

  /** New weights count from the next decision on: what a caller has had too much is kept, in proportion. */
  reweigh(fair: FairShare): void {
    this.#fair = fair
    const shares = [...this.#turns]
    this.#turns.clear()
    for (const share of shares) {
      const stride = strideOf(fair, share.caller)
      share.next = this.#now + Math.round(((share.next - this.#now) * stride) / share.stride)
      share.stride = stride
      this.#turns.add(share)
    }
    this.#tidy()
  }

  clear(): void {
    this.#shares.clear()
    this.#turns.clear()
    this.#all.clear()
    this.#now = 0
    this.#joined = 0
  }

  [Symbol.iterator](): Iterator<QueuedRequest> {
    return this.#all[Symbol.iterator]()
  }

  #newShare(caller: string): Share {
    const stride = strideOf(this.#fair, caller)
    return { caller, joined: this.#joined, line: new Sorted(bySeq), stride, next: this.#now }
  }

  #join(caller: string): Share {
    const share = this.#newShare(caller)
    this.#joined += 1
    this.#shares.set(caller, share)
    this.#turns.add(share)
    return share
  }

  #forget(share: Share): void {
    this.#turns.remove(share)
    this.#shares.delete(share.caller)
  }

  /** Who has nothing waiting and is in front has caught up with: it joins anew when it comes again. */
  #tidy(): void {
    if (this.#all.size === 0) return this.clear()
    for (let share = this.#turns.first; share?.line.size === 0; share = this.#turns.first) {
      this.#now = Math.max(this.#now, share.next)
      this.#forget(share)
    }
  }
}

function strideOf(fair: FairShare, caller: string): number {
  return Math.max(1, Math.round(turn / weightOf(fair, caller)))
}

/** How many of its turns come before that one. */
function turnsBefore({ next, stride, line, joined }: Share, moment: number, ofWhoJoined: number): number {
  if (next > moment) return 0
  const whole = Math.floor((moment - next) / stride)
  const same = next + whole * stride === moment && joined > ofWhoJoined
  return Math.min(line.size, same ? whole : whole + 1)
}
