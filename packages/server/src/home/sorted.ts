/** As many as a splice moves without being noticed. */
const chunkSize = 1_024

/**
 * Items in an order of their own, in chunks, so that the work at either end does not grow with the number of items,
 * and nothing else grows by more than one look at every chunk. Equal items (by `compare`) are the same item.
 */
export class Sorted<T> {
  readonly #compare: (a: T, b: T) => number
  /** None is empty. */
  readonly #chunks: T[][] = []
  #size = 0

  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare
  }

  get size(): number {
    return this.#size
  }

  get first(): T | undefined {
    return this.#chunks[0]?.[0]
  }

  add(item: T): void {
    this.#size += 1
    const last = this.#chunks.at(-1)
    // Most come in order.
    if (last === undefined || this.#compare(last.at(-1)!, item) < 0) return this.#append(item, last)
    const at = Math.max(0, this.#chunkOf(item))
    this.#insert(this.#chunks[at]!, at, item)
  }

  /** False when it is not here. */
  remove(item: T): boolean {
    const at = this.#chunkOf(item)
    const chunk = this.#chunks[at]
    if (chunk === undefined) return false
    const place = this.#placeIn(chunk, item)
    const found = chunk[place]
    if (found === undefined || this.#compare(found, item) !== 0) return false
    this.#cut(at, chunk, place)
    return true
  }

  shift(): T | undefined {
    const [chunk] = this.#chunks
    if (chunk === undefined) return undefined
    const item = chunk[0]
    this.#cut(0, chunk, 0)
    return item
  }

  /** How many come before it, whether or not it is here. */
  rankOf(item: T): number {
    const at = this.#chunkOf(item)
    if (at < 0) return 0
    let before = 0
    for (let i = 0; i < at; i += 1) before += this.#chunks[i]!.length
    return before + this.#placeIn(this.#chunks[at]!, item)
  }

  clear(): void {
    this.#chunks.length = 0
    this.#size = 0
  }

  *[Symbol.iterator](): Generator<T, void> {
    for (const chunk of this.#chunks) yield* chunk
  }

  #append(item: T, last: T[] | undefined): void {
    if (last === undefined || last.length >= chunkSize) this.#chunks.push([item])
    else last.push(item)
  }

  #insert(chunk: T[], at: number, item: T): void {
    chunk.splice(this.#placeIn(chunk, item), 0, item)
    if (chunk.length > chunkSize) this.#chunks.splice(at + 1, 0, chunk.splice(chunkSize / 2))
  }

  #cut(at: number, chunk: T[], place: number): void {
    if (place === 0) chunk.shift()
    else chunk.splice(place, 1)
    if (chunk.length === 0) this.#chunks.splice(at, 1)
    this.#size -= 1
  }

  /** The last chunk that begins with the item or before it; -1 when all begin after it. */
  #chunkOf(item: T): number {
    let low = 0
    let high = this.#chunks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#compare(this.#chunks[middle]![0]!, item) <= 0) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  /** Where the item stands in the chunk, or would. */
  #placeIn(chunk: readonly T[], item: T): number {
    let low = 0
    let high = chunk.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#compare(chunk[middle]!, item) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}
