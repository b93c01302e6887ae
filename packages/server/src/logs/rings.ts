import { weightOf } from './line.ts'
import type { LogLine } from './log-store.ts'

export interface RingBounds {
  readonly lines: number
  readonly weight: number
}

/** The newest lines of one runner or request. It lets go of the oldest when it is full. */
export class Ring {
  readonly #bounds: RingBounds
  #lines: LogLine[] = []
  #weight = 0
  #isWhole: boolean

  /** `isWhole` says that there are no older lines than those it will hold. */
  constructor(bounds: RingBounds, isWhole: boolean) {
    this.#bounds = bounds
    this.#isWhole = isWhole
  }

  get weight(): number {
    return this.#weight
  }

  push(line: LogLine): void {
    this.#lines.push(line)
    this.#weight += weightOf(line)
    while (this.#lines.length > this.#bounds.lines || this.#weight > this.#bounds.weight) this.#dropOldest()
  }

  /** The newest lines, oldest first. */
  newest(limit: number): readonly LogLine[] {
    return limit > 0 ? this.#lines.slice(-limit) : []
  }

  /** Whether `newest(limit)` are the newest that exist. */
  knows(limit: number): boolean {
    return this.#isWhole || this.#lines.length >= limit
  }

  #dropOldest(): void {
    const oldest = this.#lines.shift()
    if (oldest !== undefined) this.#weight -= weightOf(oldest)
    this.#isWhole = false
  }
}

/** Rings by id. When they are too many or weigh too much, those unused for longest go. */
export class Rings<Id> {
  readonly #bounds: { readonly rings: number; readonly weight: number }
  readonly #rings = new Map<Id, Ring>()
  #weight = 0

  constructor(bounds: { readonly rings: number; readonly weight: number }) {
    this.#bounds = bounds
  }

  get(id: Id): Ring | undefined {
    return this.#rings.get(id)
  }

  set(id: Id, ring: Ring): void {
    this.#forget(id)
    this.#rings.set(id, ring)
    this.#weight += ring.weight
    this.#shrink(id)
  }

  /** Adds a line to a ring that is here. */
  push(id: Id, line: LogLine): void {
    const ring = this.#rings.get(id)
    if (ring === undefined) return
    const before = ring.weight
    ring.push(line)
    this.#weight += ring.weight - before
    this.#rings.delete(id) // a map keeps its keys in the order they came: now it is the newest
    this.#rings.set(id, ring)
    this.#shrink(id)
  }

  #shrink(kept: Id): void {
    for (const id of this.#rings.keys()) {
      if (this.#rings.size <= this.#bounds.rings && this.#weight <= this.#bounds.weight) return
      if (id !== kept) this.#forget(id)
    }
  }

  #forget(id: Id): void {
    this.#weight -= this.#rings.get(id)?.weight ?? 0
    this.#rings.delete(id)
  }
}
