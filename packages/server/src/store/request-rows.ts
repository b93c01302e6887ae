import type { Moment } from '../kit/clock.ts'
import { kinds } from '../domain/errors.ts'
import type { ErrorCode } from '../domain/errors.ts'
import type { AppId, KeyId, RequestId, RunnerId, Seq } from '../domain/ids.ts'
import type { Priority, QueuedRequest, RequestState, RetryPolicy } from '../domain/request.ts'
import type { RetryBudgets } from '../domain/revision.ts'
import { json, number, optionalNumber, optionalText, text } from './rows.ts'
import type { Row } from './store.ts'

/** A request as it stands in the store, without its bodies. */
export interface StoredRequest {
  readonly id: RequestId
  readonly seq: Seq
  readonly appId: AppId
  readonly keyId?: KeyId
  readonly state: RequestState
  readonly priority: Priority
  readonly attempt: number
  /** Where its current or last attempt ran. */
  readonly runnerId?: RunnerId
  readonly acceptedAt: Moment
  /** When its current or last attempt started. */
  readonly startedAt?: Moment
  readonly finishedAt?: Moment
  readonly status?: number
  readonly error?: { readonly code: ErrorCode; readonly message: string }
  readonly cancelRequestedAt?: Moment
}

/** What a home reads of a request that has no outcome yet. */
export interface UnfinishedRequest {
  readonly request: QueuedRequest
  readonly state: 'waiting' | 'running'
  readonly runnerId?: RunnerId
  readonly cancelRequested: boolean
}

export function queuedRequest(appId: AppId, row: Row): UnfinishedRequest {
  const request: QueuedRequest = {
    id: text(row, 'id'),
    appId,
    keyId: optionalText(row, 'key_id'),
    seq: number(row, 'seq'),
    priority: text(row, 'priority') === 'low' ? 'low' : 'normal',
    attempt: number(row, 'attempt'),
    dueAt: number(row, 'due_at'),
    acceptedAt: number(row, 'accepted_at'),
    startBy: optionalNumber(row, 'start_by'),
    retry: retryPolicy(row),
    used: usedBudgets(row),
  }
  return {
    request,
    state: text(row, 'state') === 'running' ? 'running' : 'waiting',
    runnerId: optionalText(row, 'runner_id'),
    cancelRequested: row['cancel_requested_at'] !== null,
  }
}

export function storedRequest(row: Row): StoredRequest {
  const code = optionalText(row, 'error_code')
  return {
    id: text(row, 'id'),
    seq: number(row, 'seq'),
    appId: text(row, 'app_id'),
    keyId: optionalText(row, 'key_id'),
    state: stateOf(row),
    priority: text(row, 'priority') === 'low' ? 'low' : 'normal',
    attempt: number(row, 'attempt'),
    runnerId: optionalText(row, 'runner_id'),
    acceptedAt: number(row, 'accepted_at'),
    startedAt: optionalNumber(row, 'started_at'),
    finishedAt: optionalNumber(row, 'finished_at'),
    status: optionalNumber(row, 'status'),
    error: code === undefined ? undefined : { code: errorCode(code), message: text(row, 'error_message') },
    cancelRequestedAt: optionalNumber(row, 'cancel_requested_at'),
  }
}

function stateOf(row: Row): RequestState {
  const state = text(row, 'state')
  return state === 'waiting' || state === 'running' ? state : 'completed'
}

/** A code that a newer version wrote reads as a fault of the platform. */
function errorCode(code: string): ErrorCode {
  return isErrorCode(code) ? code : 'internal_error'
}

const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(kinds, code)

/** Nearly every request has the same word on retries: those share one object, so that a backlog of a million stays small. */
const usual: RetryPolicy = { forbidden: false, budgets: {} }
const usualText = JSON.stringify(usual)

function retryPolicy(row: Row): RetryPolicy {
  return row['retry'] === usualText ? usual : json<RetryPolicy>(row, 'retry')
}

function usedBudgets(row: Row): RetryBudgets {
  return row['used'] === '{}' ? usual.budgets : json<RetryBudgets>(row, 'used')
}
