import { errors } from 'undici'
import type { Address } from '../domain/runner.ts'
import type { Failure } from './call.ts'

/** Longer timers would fire at once. */
export const longestTimer = 2 ** 31 - 1

/** What an error of undici's says, when it comes before any answer. */
export function failureBeforeAnswer(error: unknown): Failure {
  const code = codeOf(error)
  const message = messageOf(error)
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT') return { kind: 'connect_timeout', message }
  if (code === 'ECONNREFUSED') return { kind: 'refused', message }
  if (code === 'UND_ERR_SOCKET' || code === 'EPIPE') return { kind: 'disconnected', message }
  if (code === 'ECONNRESET') return { kind: duringConnect(error) ? 'connection_error' : 'disconnected', message }
  if (error instanceof errors.HeadersOverflowError) return { kind: 'oversized', message }
  if (error instanceof errors.HTTPParserError) return { kind: 'incomplete', message }
  return { kind: 'connection_error', message }
}

const duringConnect = (error: unknown): boolean =>
  error instanceof Error && 'syscall' in error && error.syscall === 'connect'

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export function originOf({ host, port }: Address): string {
  return host.includes(':') ? `http://[${host}]:${port}` : `http://${host}:${port}`
}
