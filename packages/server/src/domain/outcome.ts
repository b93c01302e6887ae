import { kinds } from './errors.ts'
import type { ErrorCode, ErrorKind } from './errors.ts'
import type { RequestId, RunnerId } from './ids.ts'
import type { HeaderPairs, Outcome } from './request.ts'
import type { AttemptEnd, Trouble } from './retry.ts'
import { exceededWords, type Exceeded } from './runner.ts'

/** The HTTP status of every kind of failure, the same whether it is answered at once or stored as an outcome. */
export const httpStatus: Readonly<Record<ErrorKind, number>> = {
  bad_input: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  not_ready: 409,
  too_large: 413,
  bad_value: 422,
  limited: 429,
  cancelled: 499,
  internal: 500,
  unimplemented: 501,
  bad_gateway: 502,
  unavailable: 503,
  timed_out: 504,
  full: 507,
}

/** What is said when an attempt without a whole answer is the last one. */
export const troubles: Readonly<Record<Trouble, { readonly code: ErrorCode; readonly message: string }>> = {
  refused: { code: 'runner_connection_refused', message: 'The runner refused the connection' },
  connect_timeout: { code: 'runner_connection_timeout', message: 'The runner did not accept the connection in time' },
  connection_error: { code: 'runner_connection_error', message: 'The connection to the runner failed' },
  disconnected: { code: 'runner_disconnected', message: 'The runner went away before it answered' },
  incomplete: { code: 'runner_incomplete_response', message: "The runner's response broke off before its end" },
  oversized: {
    code: 'runner_incomplete_response',
    message: "The headers of the runner's response are larger than the 16 KiB that are allowed",
  },
  timed_out: { code: 'request_timeout', message: 'The request ran longer than the request_timeout of the app' },
  restarted: { code: 'runner_disconnected', message: 'The runner went away before it answered' },
}

/** How such an attempt may end because its runner did, which may have been for wanting too much. */
export function mayTellOfEnd(kind: AttemptEnd['kind']): boolean {
  return kind === 'disconnected' || kind === 'connection_error' || kind === 'incomplete' || kind === 'refused'
}

/** What is said besides when it was: the runner's own reason, word and all. */
export function exceededMessage(message: string, exceeded: Exceeded): string {
  return `${message}: it ${exceededWords[exceeded]} (${exceeded})`
}

export interface Failed {
  readonly code: ErrorCode
  readonly message: string
  /** Absent where one outcome is for many. */
  readonly requestId?: RequestId
  readonly runnerId?: RunnerId
  readonly headers?: HeaderPairs
}

/** The outcome of a request that the platform, not the app, has ended. */
export function failedOutcome({ code, message, requestId, runnerId, headers = [] }: Failed): Outcome {
  return {
    status: httpStatus[kinds[code]],
    headers: [
      ['content-type', 'application/json; charset=utf-8'],
      ...(requestId === undefined ? [] : [['x-fal-request-id', requestId] as const]),
      ['x-fal-error-type', code],
      ...headers,
    ],
    body: { inline: new TextEncoder().encode(JSON.stringify({ detail: message, error_type: code })) },
    error: { code, message },
    runnerId,
  }
}

/** It could not start by the moment that its caller set. */
export function overdueOutcome(requestId: RequestId): Outcome {
  return failedOutcome({
    code: 'request_timeout',
    message: 'The request could not start within the time that its caller allowed',
    requestId,
    headers: [['x-fal-request-timeout-type', 'user']],
  })
}

export function cancelledOutcome(requestId: RequestId): Outcome {
  return failedOutcome({ code: 'client_cancelled', message: 'The request was cancelled', requestId })
}
