import type { Readable } from 'node:stream'
import { blockBytes, copyInto, type Blocks, type Piece } from './blocks.ts'

/** So many blocks of one source are on their way at most; a thread that has lost its core for a while has them to go on with. */
const mostOnTheWay = 16
/** The same where blocks are scarce. */
const fewOnTheWay = 2

interface Pouring {
  readonly blocks: Blocks
  /** Called with every chunk, in order, before anything is done with it; what it throws ends the pouring. */
  readonly seen: (chunk: Buffer) => void
  /** Called with what was seen, in order, and not waited for. The piece is its own until it settles. */
  readonly store: (piece: Piece) => Promise<void>
}

/**
 * Hands what comes to `store`, a block at a time. Resolves when all of it was stored. Rejects when the source broke or `seen` threw, once all that
 * was seen until then is stored, and when `store` rejected. The source stays open: it may be a socket on which a refusal still
 * has to go out. The memory of its chunks is taken, so nobody else may read them.
 */
export function pour(source: Readable, pouring: Pouring): Promise<void> {
  return new Promise((resolve, reject) => new Pour(source, pouring, { resolve, reject }))
}

interface Outcome {
  readonly error?: unknown
}

interface Settle {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

class Pour {
  readonly #source: Readable
  readonly #pouring: Pouring
  readonly #settle: Settle
  /** The block that is being filled, and how far it is. */
  #block: Piece | undefined
  #filled = 0
  #onTheWay = 0
  #ended: Outcome | undefined

  constructor(source: Readable, pouring: Pouring, settle: Settle) {
    this.#source = source
    this.#pouring = pouring
    this.#settle = settle
    source.on('data', this.#take).on('end', this.#onEnd).on('error', this.#onError).on('close', this.#onClose)
  }

  readonly #onEnd = () => this.#end({})
  readonly #onError = (error: unknown) => this.#end({ error })
  readonly #onClose = () => this.#end({ error: new Error('the sender left before it had sent all') })

  readonly #take = (chunk: Buffer): void => {
    try {
      this.#pouring.seen(chunk)
    } catch (error) {
      return this.#end({ error })
    }
    this.#fill(chunk)
    freeMemoryOf(chunk)
    if (this.#onTheWay >= (this.#pouring.blocks.areScarce ? fewOnTheWay : mostOnTheWay)) this.#source.pause()
  }

  #fill(chunk: Buffer): void {
    for (let taken = 0; taken < chunk.length;) {
      const block = (this.#block ??= this.#pouring.blocks.take())
      const part = chunk.subarray(taken, taken + blockBytes - this.#filled)
      copyInto(block, this.#filled, part)
      taken += part.length
      this.#filled += part.length
      if (this.#filled === blockBytes) this.#turnOver()
    }
  }

  #turnOver(): void {
    if (this.#block === undefined) return
    const piece = this.#block.subarray(0, this.#filled)
    this.#block = undefined
    this.#filled = 0
    this.#onTheWay += 1
    this.#pouring
      .store(piece)
      .catch((error: unknown) => this.#fail(error))
      .finally(() => this.#stored(piece))
  }

  #stored(piece: Piece): void {
    this.#pouring.blocks.give(piece)
    this.#onTheWay -= 1
    if (this.#ended !== undefined) this.#finish()
    else if (this.#source.isPaused()) this.#source.resume()
  }

  /** What does not go any further is no matter of the source, whose own error may have been the first. */
  #fail(error: unknown): void {
    this.#ended = { error }
    this.#letGo()
    if (this.#block !== undefined) this.#pouring.blocks.give(this.#block)
    this.#block = undefined
  }

  #end(how: Outcome): void {
    this.#ended ??= how
    this.#letGo()
    this.#turnOver()
    this.#finish()
  }

  #letGo(): void {
    const source = this.#source
    source.off('data', this.#take).off('end', this.#onEnd).off('error', this.#onError).off('close', this.#onClose)
    source.on('error', ignore)
    if ('error' in (this.#ended ?? {})) source.pause()
  }

  #finish(): void {
    if (this.#ended === undefined || this.#onTheWay > 0) return
    if ('error' in this.#ended) this.#settle.reject(this.#ended.error)
    else this.#settle.resolve()
  }
}

/** At once, and not when a collector comes by: what is used next is still in the processor's cache then. */
function freeMemoryOf({ buffer, length }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === length) buffer.transfer(0)
}

const ignore = () => {}
