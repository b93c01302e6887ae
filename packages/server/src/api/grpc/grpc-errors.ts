import { Code, ConnectError } from '@connectrpc/connect'
import { CarrickError } from '../../domain/errors.ts'
import type { ErrorKind } from '../../domain/errors.ts'
import type { Logger } from '../../kit/logger.ts'

/** UNAVAILABLE is never said: the stock client would repeat the call four times by itself, side effects and all. */
export const codes: Readonly<Record<ErrorKind, Code>> = {
  bad_input: Code.InvalidArgument,
  bad_value: Code.InvalidArgument,
  unauthenticated: Code.Unauthenticated,
  forbidden: Code.PermissionDenied,
  not_found: Code.NotFound,
  conflict: Code.Aborted,
  not_ready: Code.FailedPrecondition,
  too_large: Code.ResourceExhausted,
  limited: Code.ResourceExhausted,
  cancelled: Code.Canceled,
  bad_gateway: Code.Internal,
  unavailable: Code.Aborted,
  timed_out: Code.DeadlineExceeded,
  full: Code.ResourceExhausted,
  unimplemented: Code.Unimplemented,
  internal: Code.Internal,
}

/** Bytes of a message on the wire, where it stands percent-encoded in a trailer: clients give up at 16 KiB of those. */
const mostBytes = 8_000

/** What a client is told of a failure. One that nobody foresaw is logged, and its cause stays here. */
export function grpcError(error: unknown, { log, method }: { log: Logger; method: string }): ConnectError {
  if (error instanceof CarrickError) return new ConnectError(shortened(error.message), codes[error.kind])
  if (error instanceof ConnectError) return error
  log.error({ err: error, method }, 'a control operation failed unexpectedly')
  return new ConnectError(
    `${method} failed inside the server. This is a bug of Carrick; the server's log says more`,
    Code.Internal,
    undefined,
    undefined,
    error,
  )
}

/** Its first lines and as much of its end as fits: the end of a traceback is what tells most. */
export function shortened(message: string): string {
  const text = message.toWellFormed()
  if (encodedLength(text) <= mostBytes) return text
  const start = longest(text.length, (length) => text.slice(0, length), mostBytes / 8)
  const head = `${start.slice(0, start.lastIndexOf('\n') + 1) || `${start}\n`}[…]\n`
  const left = text.length - start.length
  return head + longest(left, (length) => text.slice(text.length - length), mostBytes - encodedLength(head))
}

/** The longest cut that fits. */
function longest(atMost: number, cut: (length: number) => string, bytes: number): string {
  let [fits, tooLong] = [0, atMost + 1]
  while (tooLong - fits > 1) {
    const middle = Math.floor((fits + tooLong) / 2)
    if (encodedLength(cut(middle)) <= bytes) fits = middle
    else tooLong = middle
  }
  return cut(fits).toWellFormed()
}

const encodedLength = (text: string): number => encodeURIComponent(text.toWellFormed()).length
