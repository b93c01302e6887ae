/** Lets tasks of one name wait for each other; those of other names go on. */
export class OneAtATime {
  readonly #last = new Map<string, Promise<unknown>>()

  async run<T>(name: string, task: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name)
    const mine = this.#after(before, task)
    this.#last.set(name, mine)
    try {
      return await mine
    } finally {
      if (this.#last.get(name) === mine) this.#last.delete(name)
    }
  }

  async #after<T>(before: Promise<unknown> | undefined, task: () => Promise<T>): Promise<T> {
    await before?.catch(() => {}) // its own caller is told
    return await task()
  }
}
