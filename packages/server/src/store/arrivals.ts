import { decide, isEnough, longestWait, usualTime } from './gather.ts'

/** Milliseconds of a commit, and how many of them it spent on getting to disk. */
export interface CommitTook {
  readonly commit: number
  readonly sync: number
}

/** Remembers when writes came that somebody waits for, and who may write again soon: what `decide` goes by. */
export class Arrivals {
  readonly #maxGroup: number
  #waiting = 0
  /** Writers who have been answered and are not back. */
  #away = 0
  /** All of them, when the last were answered. */
  #writers = 0
  #newestCame = 0
  /** Since when those in hand could come. */
  #openSince = 0
  #freeSince = 0
  #commit = 0
  #sync = 0
  #apart = 0

  constructor(maxGroup: number) {
    this.#maxGroup = maxGroup
  }

  /** Writes in hand that somebody waits for. */
  get waiting(): number {
    return this.#waiting
  }

  came(now: number): void {
    if (this.#waiting === 0 && now - this.#openSince > longestWait) this.#beginAnew(now)
    this.#waiting += 1
    this.#away = Math.max(0, this.#away - 1)
    this.#newestCame = now
  }

  /** So many of them are on their way to the disk. */
  went(count: number, now: number): void {
    if (count > 0) this.#apart = usualTime(this.#apart, (this.#newestCame - this.#openSince) / this.#waiting)
    this.#waiting -= count
    this.#openSince = now
  }

  /** They have been answered. Without times, their commit was no usual one. */
  ended({ count, now, took }: { count: number; now: number; took?: CommitTook | undefined }): void {
    this.#freeSince = now
    if (this.#waiting === 0) this.#openSince = now
    this.#away += count
    if (count > 0) this.#writers = this.#waiting + this.#away
    if (took === undefined) return
    this.#commit = usualTime(this.#commit, took.commit)
    this.#sync = usualTime(this.#sync, took.sync)
  }

  /** Amid a turn of the network, when more than those who are known may be in hand in a moment: whether there are enough already. */
  areEnough(): boolean {
    return this.#writers > 1 && this.#waiting > 0 && isEnough(this.#inHand)
  }

  /** Between two turns: whether to commit. Who did not come back until then is no longer waited for. */
  areToGo(now: number): boolean {
    const verdict = decide({ ...this.#inHand, waited: now - this.#freeSince, quiet: now - this.#newestCame })
    if (verdict === 'commit' && !isEnough(this.#inHand)) this.#away = 0
    return verdict === 'commit'
  }

  /** Whoever was expected has not come back, and how long that took tells nothing about those who come now. */
  #beginAnew(now: number): void {
    this.#away = 0
    this.#writers = 0
    this.#openSince = now
  }

  get #inHand() {
    const expected = Math.min(this.#waiting + this.#away, this.#maxGroup)
    return { waiting: this.#waiting, expected, commit: this.#commit, sync: this.#sync, apart: this.#apart }
  }
}
