import { Readable } from 'node:stream'
import { CarrickError } from '../domain/errors.ts'
import type { Address } from '../domain/runner.ts'
import { longestResult, readResult, resultTooLarge, type RunResult } from '../domain/run-value.ts'
import type { Caller, CallLimits, Failure } from './call.ts'

/** Bytes that only a runner reads, and the module that reads them. */
interface Pickle {
  readonly method: string
  readonly definition: Uint8Array
}

/** One call of a function, as a runner of `carrick_runner.jobs` takes it. */
export interface FunctionCall {
  readonly code: Pickle | { readonly entrypoint: string }
  /** Called before, unless this runner has its result already; the function gets what it returned. */
  readonly setup?: Pickle | undefined
  /** A line that the runner writes to both streams after the last of the call. */
  readonly mark: string
  /** Most bytes of the result. */
  readonly limit: number
}

/**
 * Has a runner call a function, and answers what it returned or raised, unread, or how the exchange broke. Throws
 * `body_too_large` and `runner_server_error` for an answer that is no result.
 */
export async function callFunction(
  caller: Pick<Caller, 'exchange'>,
  address: Address,
  call: FunctionCall,
  { jobKey, ...limits }: CallLimits & { readonly jobKey: string },
): Promise<RunResult | Failure> {
  const parts = [headOf(call), pickleOf(call), call.setup?.definition ?? nothing]
  const size = parts.reduce((sum, { length }) => sum + length, 0)
  const headers = [
    ['authorization', `Carrick ${jobKey}`],
    ['content-length', String(size)],
  ] as const
  const body = Readable.from(parts.filter(({ length }) => length > 0))
  const answer = await caller.exchange(address, { method: 'POST', path: '/', headers, body }, limits)
  if (answer.kind !== 'answered') return answer
  const content = await readBounded(answer.body, call.limit)
  const { kind, ...end } = await answer.ended
  if (kind !== 'complete') return { kind, ...end } as Failure
  if (answer.status === 200) return readResult(content, call.limit)
  throw new CarrickError('runner_server_error', `The runner refused to call the function (${answer.status})`)
}

const nothing = new Uint8Array()

/** What an entry point returns goes back by the module that needs no requirement. */
function headOf({ code, setup, mark, limit }: FunctionCall): Uint8Array {
  const called = 'entrypoint' in code ? { entrypoint: code.entrypoint, method: 'pickle' } : { method: code.method }
  const sizes = { function_bytes: 'entrypoint' in code ? 0 : code.definition.length }
  return Buffer.from(`${JSON.stringify({ ...called, ...sizes, setup_method: setup?.method, mark, limit })}\n`)
}

const pickleOf = ({ code }: FunctionCall): Uint8Array => ('entrypoint' in code ? nothing : code.definition)

/** Throws beyond what a result may have. A body that breaks off is told by the exchange. */
async function readBounded(body: Readable, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > longestResult(limit)) throw resultTooLarge(size, limit)
      chunks.push(chunk)
    }
  } catch (error) {
    if (error instanceof CarrickError) throw error
  }
  return Buffer.concat(chunks)
}
