import type { PlatformRefusal } from '@carrick/protocol/platform'
import { CarrickError, type ErrorKind } from '../../domain/errors.ts'

/** The words of the platform API for what went wrong, which are fewer than ours. */
const types: Readonly<Record<ErrorKind, PlatformRefusal['error']['type']>> = {
  bad_input: 'validation_error',
  bad_value: 'validation_error',
  too_large: 'validation_error',
  conflict: 'validation_error',
  not_ready: 'validation_error',
  unauthenticated: 'authorization_error',
  forbidden: 'authorization_error',
  not_found: 'not_found',
  limited: 'rate_limited',
  unimplemented: 'not_implemented',
  cancelled: 'server_error',
  bad_gateway: 'server_error',
  unavailable: 'server_error',
  timed_out: 'server_error',
  full: 'server_error',
  internal: 'server_error',
}

/** Whether refusals of this path have the shape of the platform API, not the one that the stock command prints. */
export function isPlatformPath(path: string): boolean {
  return /^\/v1\/(serverless|keys|meta)(\/|$)/.test(path)
}

/** The body of a refusal there. */
export function platformRefusal(error: CarrickError, requestId: string): PlatformRefusal {
  return { error: { type: types[error.kind], message: error.message, code: error.code, request_id: requestId } }
}
