import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { lineReader, type Line } from './lines.ts'

/** Reads a pipe to its end, whether anybody listens or not. */
export function drain(pipe: Readable, onLine: (line: Line) => void): void {
  const lines = lineReader(onLine)
  pipe.on('data', (chunk: Buffer) => lines.read(chunk))
  pipe.once('close', () => lines.end())
  pipe.on('error', () => {}) // 'close' follows, and there is nobody to tell
}

/** Waits until all that was written has been read, but not for a process that holds the pipe open for ever. */
export async function whenDrained(pipe: Readable, patienceMs: number): Promise<void> {
  if (pipe.closed) return
  const closed = once(pipe, 'close')
  const timer = setTimeout(() => pipe.destroy(), patienceMs)
  await closed
  clearTimeout(timer)
}
