import { CarrickError } from '../domain/errors.ts'
import { weightOf } from './line.ts'
import type { LogFilter, LogLine, LogTail } from './log-store.ts'
import { matcherOf } from './matches.ts'

/** What all readers together, and what one of them, may ask of memory. */
export interface TailBounds {
  readonly readers: number
  /** Of the lines that one reader has not taken yet. */
  readonly weight: number
}

/** The readers that follow lines as they come. */
export class Tails {
  readonly #bounds: TailBounds
  readonly #open = new Set<Tail>()

  constructor(bounds: TailBounds) {
    this.#bounds = bounds
  }

  open(filter: LogFilter): LogTail {
    if (this.#open.size >= this.#bounds.readers) {
      throw new CarrickError('too_busy', `${this.#open.size} readers follow logs already: try again when one has left`)
    }
    const tail: Tail = new Tail(filter, this.#bounds.weight, () => this.#open.delete(tail))
    this.#open.add(tail)
    return tail
  }

  push(line: LogLine): void {
    for (const tail of this.#open) tail.push(line)
  }
}

class Tail implements LogTail {
  readonly #matches: (line: LogLine) => boolean
  readonly #mostWeight: number
  readonly #leave: () => void
  #unread: LogLine[] = []
  #weight = 0
  #isBehind = false
  #ring = () => {}

  constructor(filter: LogFilter, mostWeight: number, leave: () => void) {
    this.#matches = matcherOf(filter)
    this.#mostWeight = mostWeight
    this.#leave = leave
  }

  push(line: LogLine): void {
    if (this.#isBehind || !this.#matches(line)) return
    this.#unread.push(line)
    this.#weight += weightOf(line)
    if (this.#weight > this.#mostWeight) this.#giveUp()
    this.#ring()
  }

  async next(signal: AbortSignal): Promise<readonly LogLine[]> {
    if (this.#unread.length === 0 && !this.#isBehind && !signal.aborted) await this.#nextLine(signal)
    if (this.#isBehind)
      throw new CarrickError('too_busy', 'The lines came faster than they were read: follow them again')
    const lines = this.#unread
    this.#unread = []
    this.#weight = 0
    return lines
  }

  [Symbol.dispose](): void {
    this.#leave()
  }

  async #nextLine(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const ring = () => resolve()
    this.#ring = ring
    signal.addEventListener('abort', ring, { once: true })
    await promise
    signal.removeEventListener('abort', ring)
  }

  /** A gap in the middle would go unseen, so a reader who is too slow gets nothing more. */
  #giveUp(): void {
    this.#isBehind = true
    this.#unread = []
  }
}
