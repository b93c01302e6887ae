import type { BlobKey } from '../domain/ids.ts'

/**
 * Keeps a blob that nothing names from being taken away while somebody puts the same bytes again: whoever discards leaves
 * what is being put, and whoever puts waits for what is being discarded.
 */
export class BlobTurns {
  readonly #discarding = new Map<BlobKey, Promise<boolean>>()
  readonly #placing = new Map<BlobKey, number>()

  async place<T>(key: BlobKey, work: () => Promise<T>): Promise<T> {
    await this.#discarding.get(key)?.catch(() => {}) // whoever discards is told
    this.#placing.set(key, (this.#placing.get(key) ?? 0) + 1)
    try {
      return await work()
    } finally {
      const others = (this.#placing.get(key) ?? 1) - 1
      if (others === 0) this.#placing.delete(key)
      else this.#placing.set(key, others)
    }
  }

  /** Does not begin, and answers `false`, where somebody else is at it. */
  async discard(key: BlobKey, work: () => Promise<boolean>): Promise<boolean> {
    if (this.#placing.has(key) || this.#discarding.has(key)) return false
    const done = work()
    this.#discarding.set(key, done)
    return done.finally(() => this.#discarding.delete(key))
  }
}
