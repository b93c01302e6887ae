import type { Moment } from '../kit/clock.ts'
import { hourMs, hourOf } from './usage.ts'

/** Up to when a request's share of its runner has been reckoned. */
export interface Reckoned {
  readonly at: Moment
  readonly got: number
}

/** Time that a request had of its runner within one hour. */
export interface Share {
  readonly hour: Moment
  readonly ms: number
}

/**
 * How the requests on one runner share its time: of each moment, those in flight have equal parts. So what all of them have
 * is the time in which there was one, however many there are and whenever they come and go; and each costs a few
 * additions, because one number says what somebody has got who was there all the while.
 */
export class Shares {
  #at: Moment
  #inFlight = 0
  #got = 0
  /** The same number at full hours. */
  readonly #hours: Reckoned[] = []

  constructor(now: Moment) {
    this.#at = now
  }

  /** One more is in flight. */
  join(now: Moment): Reckoned {
    this.#advance(now)
    this.#inFlight += 1
    return { at: now, got: this.#got }
  }

  /** One less. Answers whether nobody is left. */
  leave(now: Moment): boolean {
    this.#advance(now)
    this.#inFlight -= 1
    return this.#inFlight === 0
  }

  /** What somebody in flight has had since then, hour by hour. */
  since({ at, got }: Reckoned, now: Moment): readonly Share[] {
    this.#advance(now)
    const shares: Share[] = []
    let before = got
    for (const hour of this.#hours) {
      if (hour.at <= at) continue
      shares.push({ hour: hour.at - hourMs, ms: hour.got - before })
      before = hour.got
    }
    return [...shares, { hour: hourOf(this.#at), ms: this.#got - before }]
  }

  /** When everybody in flight has been reckoned with up to now. */
  reckoned(now: Moment): Reckoned {
    this.#advance(now)
    return { at: this.#at, got: this.#got }
  }

  /** For when all have been: the hours that are over are not asked about again. */
  forgetHours(): void {
    this.#hours.length = 0
  }

  #advance(now: Moment): void {
    for (let ends = hourOf(this.#at) + hourMs; ends <= now; ends += hourMs) {
      this.#go(ends)
      if (this.#inFlight > 0) this.#hours.push({ at: ends, got: this.#got })
    }
    this.#go(now)
  }

  #go(to: Moment): void {
    if (this.#inFlight > 0) this.#got += (to - this.#at) / this.#inFlight
    this.#at = to
  }
}
