/** Lets work begin while there is room for it, in the order in which it came, and no owner take more than a share. */
export class Turns {
  readonly #most: number
  readonly #share: number
  readonly #working = new Map<string, number>()
  readonly #waiting = new Set<{ readonly owner: string; readonly begin: () => void }>()
  #total = 0

  constructor({ most, share }: { readonly most: number; readonly share: number }) {
    this.#most = most
    this.#share = share
  }

  async take<T>(owner: string, work: () => Promise<T>): Promise<T> {
    if (!this.#hasRoom(owner)) await new Promise<void>((begin) => this.#waiting.add({ owner, begin }))
    else this.#count(owner, 1)
    try {
      return await work()
    } finally {
      this.#count(owner, -1)
      this.#next()
    }
  }

  #next(): void {
    for (const each of this.#waiting) {
      if (this.#total >= this.#most) return
      if (!this.#hasRoom(each.owner)) continue
      this.#waiting.delete(each)
      this.#count(each.owner, 1)
      each.begin()
    }
  }

  #hasRoom(owner: string): boolean {
    return this.#total < this.#most && (this.#working.get(owner) ?? 0) < this.#share
  }

  #count(owner: string, by: 1 | -1): void {
    this.#total += by
    const working = (this.#working.get(owner) ?? 0) + by
    if (working > 0) this.#working.set(owner, working)
    else this.#working.delete(owner)
  }
}
