import { setTimeout as rest } from 'node:timers/promises'
import { CarrickError } from '../../domain/errors.ts'

/** What a call to an object store failed with, as far as it says so. */
interface Facts {
  readonly name: string
  readonly message: string
  /** Of the answer, if there was one. */
  readonly status?: number
  /** Of the connection. */
  readonly code?: string
}

export function factsOf(error: unknown): Facts {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) }
  const { $metadata, code } = error as { $metadata?: { httpStatusCode?: number }; code?: unknown }
  return {
    name: error.name,
    message: error.message,
    ...($metadata?.httpStatusCode === undefined ? {} : { status: $metadata.httpStatusCode }),
    ...(typeof code === 'string' ? { code } : {}),
  }
}

const lost = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
])
/** Answers of 4xx that come of the way there and not of what was asked. */
const garbled = new Set([
  'BadDigest',
  'IncompleteBody',
  'RequestTimeout',
  'SlowDown',
  'XAmzContentSHA256Mismatch',
  'XAmzContentChecksumMismatch',
])

/** Whether the same call may well succeed in a while. */
export function isPassing(error: unknown): boolean {
  const { name, status, code } = factsOf(error)
  if (status !== undefined && status >= 400)
    return status >= 500 || status === 408 || status === 429 || garbled.has(name)
  return name === 'TimeoutError' || name === 'ShortAnswer' || (code !== undefined && lost.has(code))
}

const [firstRestMs, longestRestMs] = [200, 5_000]

/** How long a call to an object store goes on. */
export interface Persistence {
  readonly bucket: { readonly address: string }
  readonly persistMs: number
  readonly signal: AbortSignal
  /** Told of every failure that may pass. */
  readonly onTrouble: (error: unknown) => void
}

/**
 * Does work at an object store, and again while its failure is a passing one and this long has not gone by. Rejects with
 * `storage_unavailable`, and at once with the signal's reason when that aborts: then nothing is known of the work.
 */
export async function persistently<T>(
  { bucket, persistMs, signal, onTrouble }: Persistence,
  work: () => Promise<T>,
): Promise<T> {
  const giveUpAt = performance.now() + persistMs
  for (let restMs = firstRestMs; ; restMs = Math.min(2 * restMs, longestRestMs)) {
    try {
      return await unlessAborted(work, signal)
    } catch (error) {
      signal.throwIfAborted()
      if (isPassing(error)) onTrouble(error)
      if (!isPassing(error) || performance.now() + restMs > giveUpAt) throw unavailable(bucket.address, error)
      await rest(restMs, undefined, { signal })
    }
  }
}

async function unlessAborted<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  const aborted = Promise.withResolvers<never>()
  const abort = () => aborted.reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([work(), aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** What somebody outside is told who asked for something that had to go to the object store. What is missing there, or a bug, stays as it is. */
function unavailable(address: string, error: unknown): unknown {
  const { name, status, code, message } = factsOf(error)
  const isRefusal =
    (status !== undefined && status >= 300 && name !== 'NoSuchKey') || name === 'CredentialsProviderError'
  if (!isRefusal && !isPassing(error)) return error
  const silent = name === 'TimeoutError' ? 'it was silent for too long' : undefined
  const why = silent ?? (status === undefined ? (code ?? message) : `${status} ${name}`)
  const sentence = `The object store ${address} could not be used (${why}): try again later`
  return new CarrickError('storage_unavailable', sentence, { cause: error })
}
