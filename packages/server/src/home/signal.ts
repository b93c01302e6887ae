/** Tells listeners of things that changed, once per turn of the event loop however often they changed in it. */
export class Signal<T> {
  readonly #listeners: ((thing: T) => void)[] = []
  #changed = new Set<T>()

  listen(listener: (thing: T) => void): void {
    this.#listeners.push(listener)
  }

  raise(thing: T): void {
    if (this.#changed.size === 0) queueMicrotask(() => this.#tell())
    this.#changed.add(thing)
  }

  #tell(): void {
    const changed = this.#changed
    this.#changed = new Set()
    for (const thing of changed) for (const listener of this.#listeners) listener(thing)
  }
}
