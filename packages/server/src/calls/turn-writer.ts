import type { OutgoingMessage } from 'node:http'
import type { Writable } from 'node:stream'
import { atTurnsEnd } from '../kit/turn.ts'
import { endInOnePiece } from './one-piece.ts'

/**
 * Writes a small answer to a caller at the end of each turn of the event loop: what came of it in that, and its end. Nothing of it is
 * ever so much that its reader would have to be waited for.
 */
export class TurnWriter implements Pick<Writable, 'write' | 'end'> {
  readonly #out: OutgoingMessage
  #pieces: Buffer[] = []
  #holds = false
  #ended = false

  constructor(out: OutgoingMessage) {
    this.#out = out
  }

  write(piece: Buffer): boolean {
    this.#pieces.push(piece)
    this.#hold()
    return true
  }

  end(): Writable {
    this.#ended = true
    this.#hold()
    return this.#out
  }

  #hold(): void {
    if (this.#holds) return
    this.#holds = true
    atTurnsEnd(this.#release)
  }

  readonly #release = () => {
    this.#holds = false
    const pieces = this.#pieces
    this.#pieces = []
    if (this.#out.destroyed) return
    const [first] = pieces
    if (this.#ended && pieces.length === 1) endInOnePiece(this.#out, first!)
    else this.#inPieces(pieces)
  }

  #inPieces(pieces: readonly Buffer[]): void {
    this.#out.cork()
    for (const piece of pieces) this.#out.write(piece)
    if (this.#ended) this.#out.end()
    else this.#out.uncork()
  }
}
