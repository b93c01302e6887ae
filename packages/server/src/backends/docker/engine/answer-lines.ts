import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'

/**
 * The lines of an answer, without empty ones. Podman hangs up after its last words, or before them when it is told to: that ends the lines,
 * and whoever misses something in them says so.
 */
export async function* linesOf(answer: Readable): AsyncGenerator<string> {
  const lines = createInterface({ input: answer, crlfDelay: Infinity })
  for (const each of [answer, lines]) each.on('error', () => lines.close())
  try {
    for await (const line of lines) if (line.trim() !== '') yield line
  } finally {
    answer.destroy()
  }
}
