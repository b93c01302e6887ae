import type { Day } from './days.ts'

/** Why lines were left out. */
export type DropReason = 'daily' | 'flood'

/** Counts each owner's lines of one day. */
export class Quota {
  readonly #linesPerDay: number
  readonly #counts = new Map<string, number>()
  #day: Day = 0

  constructor(linesPerDay: number) {
    this.#linesPerDay = linesPerDay
  }

  /** Counts a line, if there is room for it. */
  admits(owner: string, day: Day): boolean {
    this.#turnTo(day)
    const count = this.#counts.get(owner) ?? 0
    if (count >= this.#linesPerDay) return false
    this.#counts.set(owner, count + 1)
    return true
  }

  /** Adds what was on disk before this process began to count. */
  add(day: Day, counts: readonly (readonly [owner: string, lines: number])[]): void {
    this.#turnTo(day)
    if (day !== this.#day) return
    for (const [owner, lines] of counts) this.#counts.set(owner, (this.#counts.get(owner) ?? 0) + lines)
  }

  /** A line that comes late counts for the newest day. */
  #turnTo(day: Day): void {
    if (day <= this.#day) return
    this.#day = day
    this.#counts.clear()
  }
}

export interface BacklogBounds {
  readonly weight: number
  /** Of one owner, so that one who floods does not take the others' room. */
  readonly weightPerOwner: number
}

/** What waits for the disk: lines that were taken and whose batch has not been answered. */
export class Backlog {
  readonly #bounds: BacklogBounds
  readonly #weights = new Map<string, number>()
  #weight = 0

  constructor(bounds: BacklogBounds) {
    this.#bounds = bounds
  }

  /** Makes room for a line, if there is any. */
  admits(owner: string, weight: number): boolean {
    const own = this.#weights.get(owner) ?? 0
    if (this.#weight + weight > this.#bounds.weight || own + weight > this.#bounds.weightPerOwner) return false
    this.#weights.set(owner, own + weight)
    this.#weight += weight
    return true
  }

  release(batch: ReadonlyMap<string, number>): void {
    for (const [owner, weight] of batch) {
      const left = (this.#weights.get(owner) ?? 0) - weight
      if (left > 0) this.#weights.set(owner, left)
      else this.#weights.delete(owner)
      this.#weight -= weight
    }
  }
}
