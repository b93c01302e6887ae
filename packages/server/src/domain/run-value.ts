import { z } from 'zod'
import { CarrickError } from './errors.ts'

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

/** The first line of what a runner writes; the rest is the pickle. */
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

/** Most bytes that a result with a pickle of at most `limit` bytes has in all. */
export const longestResult = (limit: number): number => limit + longestHead

/** Takes a whole result apart. Throws `body_too_large`, and `runner_server_error` for what is no result. */
export function readResult(content: Buffer, limit: number): RunResult {
  const end = content.subarray(0, longestHead).indexOf('\n')
  const head = Head.safeParse(parsed(content.toString('utf8', 0, Math.max(0, end))))
  if (!head.success) throw new CarrickError('runner_server_error', 'The runner left something that is no result')
  if ('unloadable' in head.data) return { kind: 'unloadable', message: head.data.unloadable }
  const definition = content.subarray(end + 1)
  if (definition.length > limit) throw resultTooLarge(definition.length, limit)
  const { method, raised, traceback, type_name: typeName, message } = head.data
  return { kind: 'value', method, definition, raised, traceback, typeName, message }
}

export const resultTooLarge = (size: number, limit: number) =>
  new CarrickError(
    'body_too_large',
    `The result has ${size} bytes; ${limit} are allowed (CARRICK_MESSAGE_LIMIT). Put it into a file and return its address`,
  )

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}
