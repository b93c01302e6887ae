import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { lineReader, type Line } from './lines.ts'
import { Pace } from './pace.ts'

/** So little is read at a time that nobody else waits long, however many lines are in it. */
const sliceBytes = 2_048

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
  let timer: NodeJS.Timeout | undefined
  let hurried = false

  function read(): void {
    timer = undefined
    while (unread.length > 0) {
      const restMs = hurried ? 0 : pace.restMs
      if (restMs > 0) return rest(restMs)
      const slice = unread.subarray(0, sliceBytes)
      unread = unread.subarray(slice.length)
      pace.spend(slice.length)
      lines.read(slice)
    }
    pipe.resume()
  }

  function rest(ms: number): void {
    pipe.pause()
    timer = setTimeout(read, ms)
  }

  pipe.on('data', (chunk: Buffer) => {
    unread = unread.length === 0 ? chunk : Buffer.concat([unread, chunk])
    if (timer === undefined) read()
  })
  pipe.once('close', () => {
    clearTimeout(timer)
    hurried = true
    read()
    lines.end()
  })
  pipe.on('error', () => {}) // 'close' follows, and there is nobody to tell
  return {
    hurry: () => {
      hurried = true
      clearTimeout(timer)
      read()
    },
  }
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
