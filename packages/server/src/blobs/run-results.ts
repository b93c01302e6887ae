import { constants } from 'node:fs'
import { lstat, mkdir, open, rm, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { RunnerId } from '../domain/ids.ts'
import { longestResult, readResult, resultTooLarge, type RunResult } from '../domain/run-value.ts'

/** Where runners leave what a run returned or raised. */
export interface RunResults {
  /** Most bytes that a result may have. */
  readonly limit: number
  /** The file that this runner puts in place, whole, before it ends. Its folder is the runner's own, and need not be there. */
  pathOf(id: RunnerId): string
  /** What it left there, if anything, and takes it away. Throws `body_too_large`, and `runner_server_error` for what is no result. */
  take(id: RunnerId): Promise<RunResult | undefined>
}

/** Opens an empty folder: nobody waits any longer for what was left for a former server process. */
export async function openRunResults({ folder, limit }: { folder: string; limit: number }): Promise<RunResults> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const pathOf = (id: RunnerId) => join(folder, id, 'result')
  return {
    limit,
    pathOf,
    async take(id) {
      try {
        return await readOwn(pathOf(id), limit)
      } finally {
        await rm(dirname(pathOf(id)), { recursive: true, force: true })
      }
    },
  }
}

async function readOwn(path: string, limit: number): Promise<RunResult | undefined> {
  await using file = await openOwn(path)
  if (file === undefined) return undefined
  const { size } = await file.stat()
  if (size > longestResult(limit)) throw resultTooLarge(size, limit)
  return readResult(await readWhole(file, size), limit)
}

/** A runner may put anything there: a link would lead elsewhere, and to open a pipe would take for ever. */
async function openOwn(path: string): Promise<FileHandle | undefined> {
  const above = await lstat(dirname(path)).catch(() => undefined)
  if (above?.isDirectory() !== true) return undefined
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ELOOP') return undefined
      throw error
    },
  )
  if (file === undefined || (await file.stat()).isFile()) return file
  await file.close()
  return undefined
}

/** Exactly so many bytes at most, whatever the file does meanwhile. */
async function readWhole(file: FileHandle, size: number): Promise<Buffer> {
  const content = Buffer.alloc(size)
  let at = 0
  while (at < size) {
    const { bytesRead } = await file.read(content, at, size - at, at)
    if (bytesRead === 0) break
    at += bytesRead
  }
  return content.subarray(0, at)
}
