import type { ServerResponse } from 'node:http'
import { CarrickError, type ErrorCode, type ErrorKind } from '../domain/errors.ts'
import type { RequestId } from '../domain/ids.ts'
import { httpStatus } from '../domain/outcome.ts'
import type { HeaderPairs } from '../domain/request.ts'
import type { Unplaced } from '../domain/placement.ts'
import type { EndReason } from '../domain/runner.ts'
import { unplacedForCallers } from '../domain/unplaced-words.ts'
import type { Logger } from '../kit/logger.ts'
import { json } from './answers.ts'

/** The start deadline of the caller has passed: a header tells it from the platform's own limits. */
export class StartDeadlinePassed extends CarrickError {
  constructor(why = '') {
    super('request_timeout', `The request could not start within the time that its caller allowed${why}`)
  }
}

/** Says why no runner came up, where that is known. */
export function whyNone(failure: EndReason | undefined, unplaced: Unplaced | undefined): string {
  if (failure !== undefined) return `: the runner of the app that was started last ended with ${failure}`
  return unplaced === undefined ? '' : `: ${unplacedForCallers(unplaced)}`
}

/** An error as the wire shows it. */
export interface ErrorAnswer {
  readonly status: number
  readonly headers: HeaderPairs
  readonly body: { readonly detail: string; readonly error_type?: ErrorCode }
}

/** Refusals of these kinds have a body of one field, as clients have it on record. */
const plain: ReadonlySet<ErrorKind> = new Set(['unauthenticated', 'forbidden', 'not_found'])

export function errorAnswer(error: CarrickError): ErrorAnswer {
  const { code, kind, message } = error
  return {
    status: httpStatus[kind],
    headers: [
      ['x-fal-error-type', code],
      ...(code === 'too_busy' ? [['x-fal-needs-retry', '1'] as const] : []),
      ...(error instanceof StartDeadlinePassed ? [['x-fal-request-timeout-type', 'user'] as const] : []),
    ],
    body: plain.has(kind) ? { detail: message } : { detail: message, error_type: code },
  }
}

/** The failure to tell somebody outside. Anything but a CarrickError is a fault of ours: it is logged, once, here. */
export function told(error: unknown, requestId: RequestId, log: Logger): CarrickError {
  if (error instanceof CarrickError) return error
  log.error({ err: error, requestId }, 'the gateway failed in an unforeseen way')
  const detail = `The platform failed on request ${requestId}; the server's log says why under this id`
  return new CarrickError('internal_error', detail, { cause: error })
}

/** Answers with a failure; where an answer has begun, its end breaks off instead. */
export function answerError(res: ServerResponse, error: unknown, requestId: RequestId, log: Logger): void {
  const failure = told(error, requestId, log)
  if (res.headersSent || res.destroyed) return void res.destroy()
  const { status, headers, body } = errorAnswer(failure)
  json(res, status, body, [...headers, ['x-fal-request-id', requestId]])
}
