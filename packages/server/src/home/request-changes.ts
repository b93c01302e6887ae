import type { RequestId } from '../domain/ids.ts'

/** Who waits for a change of which request. While nobody does, telling costs a look into an empty map. */
export class RequestChanges {
  readonly #watchers = new Map<RequestId, Set<() => void>>()

  /** Calls back after each change of the request's state, until the function that comes back is called. */
  watch(requestId: RequestId, listener: () => void): () => void {
    const watchers = this.#watchers.get(requestId) ?? new Set()
    this.#watchers.set(requestId, watchers.add(listener))
    return () => {
      watchers.delete(listener)
      if (watchers.size === 0 && this.#watchers.get(requestId) === watchers) this.#watchers.delete(requestId)
    }
  }

  /** To be called when the change can be read. */
  tell(requestId: RequestId): void {
    const watchers = this.#watchers.get(requestId)
    if (watchers !== undefined) for (const listener of watchers) listener()
  }

  /** Where many changed at once and nobody has counted which. */
  tellAll(): void {
    for (const requestId of this.#watchers.keys()) this.tell(requestId)
  }
}
