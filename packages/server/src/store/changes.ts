import type { Topic } from './store.ts'

/** Who wants to know about which topic. */
export class Listeners {
  readonly #byTopic = new Map<Topic, Set<() => void>>()

  /** Calls `listener` after each change, until the function that comes back is called. */
  add(topic: Topic, listener: () => void): () => void {
    const listeners = this.#byTopic.get(topic) ?? new Set()
    this.#byTopic.set(topic, listeners)
    // The same function may listen twice: each has a place of its own.
    const own = () => listener()
    listeners.add(own)
    return () => void listeners.delete(own)
  }

  tell(topic: Topic): void {
    for (const listener of this.#byTopic.get(topic) ?? []) listener()
  }
}
