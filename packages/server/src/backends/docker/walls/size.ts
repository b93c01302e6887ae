import { lstat, opendir } from 'node:fs/promises'
import { join } from 'node:path'

/** No entry of a folder is counted as less: a name costs as much as a small file. */
const leastBytes = 4_096

/**
 * What a folder takes of the disk, in bytes, with all that is in it; more than `most` as soon as it is more. Somebody writes
 * to it meanwhile: what goes is not counted, no link is followed, and what lies too deep to be looked at is too much.
 */
export async function sizeOf(folder: string, most: number, signal: AbortSignal): Promise<number> {
  let sum = 0
  const todo = [folder]
  for (let next = todo.pop(); next !== undefined && sum <= most; next = todo.pop()) {
    signal.throwIfAborted()
    try {
      for await (const entry of await opendir(next, { bufferSize: 256 })) {
        const path = join(next, entry.name)
        sum += await bytesOf(path)
        if (entry.isDirectory()) todo.push(path)
        if (sum > most) break
      }
    } catch (error) {
      sum += lostTo(error)
    }
  }
  return sum
}

async function bytesOf(path: string): Promise<number> {
  try {
    return Math.max(leastBytes, (await lstat(path)).blocks * 512)
  } catch (error) {
    return lostTo(error)
  }
}

function lostTo(error: unknown): number {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ENAMETOOLONG') return Infinity
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES') return 0
  throw error
}
