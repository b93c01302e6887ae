import type { FileHandle } from 'node:fs/promises'
import type { Piece } from './blocks.ts'

/**
 * Writes pieces to a file, one behind the other. A disk is given all at once that has come while it was busy: it takes large
 * pieces in half the time.
 */
export class PieceWriter {
  readonly #file: FileHandle
  /** Where it goes on in the file. */
  #at = 0
  #waiting: Piece[] = []
  /** Writes what waits, once the disk is done with what came before. */
  #next: Promise<void> | undefined
  #last: Promise<void> = Promise.resolve()

  constructor(file: FileHandle) {
    this.#file = file
  }

  /** Resolves when the piece was written. Once it has rejected, nothing more is written. */
  write(piece: Piece): Promise<void> {
    this.#waiting.push(piece)
    this.#next ??= this.#last = this.#last.then(() => this.#writeWaiting())
    return this.#next
  }

  async #writeWaiting(): Promise<void> {
    const pieces = this.#waiting
    this.#waiting = []
    this.#next = undefined
    this.#at += await writeWhole(this.#file, pieces, this.#at)
  }
}

async function writeWhole(file: FileHandle, pieces: readonly Piece[], at: number): Promise<number> {
  const length = pieces.reduce((sum, { length: each }) => sum + each, 0)
  let { bytesWritten: written } = await file.writev(pieces, at)
  // A disk that is filling up takes a part.
  for (const rest = written < length ? Buffer.concat(pieces) : undefined; rest !== undefined && written < length;) {
    written += (await file.write(rest, written, length - written, at + written)).bytesWritten
  }
  return length
}
