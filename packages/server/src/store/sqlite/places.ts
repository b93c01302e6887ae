/** Things that a message names many times: each stands in it once, and is named by its place. */
export class Places<Thing> {
  readonly #places = new Map<Thing, number>()

  of(thing: Thing): number {
    const known = this.#places.get(thing)
    if (known !== undefined) return known
    this.#places.set(thing, this.#places.size)
    return this.#places.size - 1
  }

  all(): readonly Thing[] {
    return [...this.#places.keys()]
  }
}
