/** A piece of what comes: a part of a block, from its beginning. */
export type Piece = Buffer<SharedArrayBuffer>

export const blockBytes = 1024 * 1024
/** With more in use there are many uploads, and each of them makes do with little. */
const plenty = 64
const idleMs = 30_000

/**
 * Memory in blocks of one size, which goes round: filled from a connection, read by the disk and by the thread that digests
 * it, filled again. It is shared with that thread: memory that threads hand to each other is new memory to the collector of
 * each, and made it collect twice in 256 MiB. All blocks are kept while there are uploads, because the collector does not
 * count shared memory, and would let any number lie about.
 */
export class Blocks {
  #free: SharedArrayBuffer[] = []
  #inUse = 0
  /** Runs from when the last one was given back. */
  #idle: NodeJS.Timeout | undefined

  /** A block, with whatever is in it. */
  take(): Piece {
    this.#inUse += 1
    return Buffer.from(this.#free.pop() ?? new SharedArrayBuffer(blockBytes))
  }

  /** It is not used any more, by anybody. */
  give({ buffer }: Piece): void {
    this.#inUse -= 1
    this.#free.push(buffer)
    if (this.#inUse > 0) return
    if (this.#idle === undefined) this.#idle = setTimeout(() => this.#forget(), idleMs).unref()
    else this.#idle.refresh()
  }

  get inUse(): number {
    return this.#inUse
  }

  get areScarce(): boolean {
    return this.#inUse >= plenty
  }

  #forget(): void {
    if (this.#inUse === 0) this.#free = []
  }
}

/** Copies into shared memory. The methods `set` and `copy` do so a word at a time there, for a third of the time of a push. */
export function copyInto(block: Piece, at: number, bytes: Uint8Array): void {
  block.fill(bytes, at, at + bytes.length)
}
