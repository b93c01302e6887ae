import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { lineReader, type Line } from './lines.ts'
import { Pace } from './pace.ts'

/** So little is taken apart at a time, and in one turn of the loop, that nobody else waits long. */
const sliceBytes = 512
const turnCost = 16 * 1_024

/** A pipe that is read. */
export interface Drain {
  /** From now on all that is there is read, however much it is: nobody writes any more. */
  hurry(): void
}

/**
 * Reads a pipe to its end, whether anybody listens or not. Whoever writes more than `pace` allows finds the pipe full and
 * waits: a flood costs the one who makes it, not the others.
 */
export function drain(pipe: Readable, onLine: (line: Line) => void, pace = new Pace()): Drain {
  const lines = lineReader((line) => (pace.spendLine(), onLine(line)))
  let unread: Buffer = Buffer.alloc(0)
  /** Calls off the next turn, when one is set. */
  let callOff: (() => void) | undefined
  let hurried = false

  /** As much as may be read in this turn; all that is there when the pipe is closed. */
  function read(): void {
    callOff = undefined
    const enough = pace.spent + turnCost
    while (unread.length > 0) {
      const restMs = hurried ? 0 : pace.restMs
      if (restMs > 0) return waitFor(restMs)
      if (pace.spent > enough && !pipe.closed) return takeTurns()
      const slice = unread.subarray(0, sliceBytes)
      unread = unread.subarray(slice.length)
      pace.spend(slice.length)
      lines.read(slice)
    }
    pipe.resume()
  }

  function waitFor(ms: number): void {
    pipe.pause()
    const timer = setTimeout(read, ms)
    callOff = () => clearTimeout(timer)
  }

  function takeTurns(): void {
    pipe.pause()
    const turn = setImmediate(read)
    callOff = () => clearImmediate(turn)
  }

  function hurry(): void {
    hurried = true
    callOff?.()
    read()
  }

  pipe.on('data', (chunk: Buffer) => {
    unread = unread.length === 0 ? chunk : Buffer.concat([unread, chunk])
    if (callOff === undefined) read()
  })
  pipe.once('close', () => {
    hurry()
    lines.end()
  })
  pipe.on('error', () => {}) // 'close' follows, and there is nobody to tell
  return { hurry }
}

/** Waits until all that was written has been read, but not for a process that holds the pipe open for ever. */
export async function whenDrained(pipe: Readable, reader: Drain, patienceMs: number): Promise<void> {
  reader.hurry()
  if (pipe.closed) return
  const closed = once(pipe, 'close')
  const timer = setTimeout(() => pipe.destroy(), patienceMs)
  await closed
  clearTimeout(timer)
}
