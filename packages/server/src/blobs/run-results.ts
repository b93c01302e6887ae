import { constants } from 'node:fs'
import { mkdir, open, rm, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { CarrickError } from '../domain/errors.ts'
import type { RunnerId } from '../domain/ids.ts'

/** What a run returned or raised: pickled bytes that only its caller reads. */
export interface RunValue {
  readonly kind: 'value'
  readonly method: string
  readonly definition: Uint8Array
  /** The bytes are an exception that was raised. */
  readonly raised: boolean
  readonly traceback?: string | undefined
  readonly typeName?: string | undefined
  readonly message?: string | undefined
}

/** What a run brought forth, or why its callable could not be loaded. */
export type RunResult = RunValue | { readonly kind: 'unloadable'; readonly message: string }

/** Where runners leave what a run returned or raised. */
export interface RunResults {
  /** Most bytes that a result may have. */
  readonly limit: number
  /** The file that this runner puts in place, whole, before it ends. */
  pathOf(id: RunnerId): string
  /** What it left there, if anything, and takes it away. Throws `body_too_large`, and `runner_server_error` for what is no result. */
  take(id: RunnerId): Promise<RunResult | undefined>
}

/** Opens an empty folder: nobody waits any longer for what was left for a former server process. */
export async function openRunResults({ folder, limit }: { folder: string; limit: number }): Promise<RunResults> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const pathOf = (id: RunnerId) => join(folder, id)
  return {
    limit,
    pathOf,
    async take(id) {
      try {
        return await readResult(pathOf(id), limit)
      } finally {
        await rm(pathOf(id), { recursive: true, force: true })
      }
    },
  }
}

/** The first line of the file; the rest is the pickle. */
const Head = z.union([
  z.object({ unloadable: z.string() }),
  z.object({
    method: z.string(),
    raised: z.boolean(),
    traceback: z.string().optional(),
    type_name: z.string().optional(),
    message: z.string().optional(),
  }),
])

const longestHead = 1_048_576

async function readResult(path: string, limit: number): Promise<RunResult | undefined> {
  await using file = await openOwn(path)
  if (file === undefined) return undefined
  const { size } = await file.stat()
  if (size > limit + longestHead) throw tooLarge(size, limit)
  const content = await readWhole(file, size)
  const end = content.subarray(0, longestHead).indexOf('\n')
  const head = Head.safeParse(parsed(content.toString('utf8', 0, Math.max(0, end))))
  if (!head.success) throw new CarrickError('runner_server_error', 'The runner left something that is no result')
  if ('unloadable' in head.data) return { kind: 'unloadable', message: head.data.unloadable }
  const definition = content.subarray(end + 1)
  if (definition.length > limit) throw tooLarge(definition.length, limit)
  const { method, raised, traceback, type_name: typeName, message } = head.data
  return { kind: 'value', method, definition, raised, traceback, typeName, message }
}

/** A runner may put anything there: a link would lead elsewhere, and to open a pipe would take for ever. */
async function openOwn(path: string): Promise<FileHandle | undefined> {
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

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

const tooLarge = (size: number, limit: number) =>
  new CarrickError(
    'body_too_large',
    `The result has ${size} bytes; ${limit} are allowed (CARRICK_MESSAGE_LIMIT). Put it into a file and return its address`,
  )
