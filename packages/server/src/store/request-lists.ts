import type { Moment } from '../kit/clock.ts'
import type { AppId, RequestId, RunnerId, Seq } from '../domain/ids.ts'
import { storedRequest, type StoredRequest } from './request-rows.ts'
import { number, optionalNumber, optionalText, present, text } from './rows.ts'
import { read, readOne, sql } from './sql.ts'
import type { Read, Row } from './store.ts'
import type { Window } from './reports.ts'

/** A request of the queue as its app's owner may look at it, without its bodies. */
export interface ListedRequest extends StoredRequest {
  /** A dead letter: it has failed for want of attempts. */
  readonly dead: boolean
  /** The request that it sends again. */
  readonly retriedFrom?: RequestId
  /** What was sent; absent when nothing is known of it any more. */
  readonly input?: Input
}

export interface Input {
  /** Below `owner/app`, with its query. */
  readonly path: string
  /** As whom the app was told its caller is. */
  readonly callerId: string
  /** Of the body. */
  readonly bytes: number
  /** Whether the body is still there. */
  readonly kept: boolean
}

const columns = `request.seq, request.id, request.app_id, request.key_id, request.state, request.priority,
  request.attempt, request.runner_id, request.accepted_at, request.started_at, request.finished_at, request.status,
  request.error_code, request.error_message, request.cancel_requested_at, request.dead, request.retried_from,
  request_body.path, request_body.caller_id, request_body.length,
  request_body.body is not null or request_body.blob is not null as kept
  from request left join request_body on request_body.request_id = request.id`

/** A page of an app's requests that have no outcome yet, the newest first: those before a place in the order. */
export function openRequests(appId: AppId, before: Seq, limit: number): Read<readonly ListedRequest[]> {
  const query = `select ${columns}
                 where request.app_id = ? and request.state <> 'completed' and request.seq < ?
                 order by request.seq desc
                 limit ?`
  return read({ text: query, values: [appId, before, limit] }, listedRequest)
}

/** Which requests that have ended: all, those with an error, or the dead letters. An index serves each. */
export type Which = 'all' | 'failed' | 'dead'

const conditions: Readonly<Record<Which, string>> = {
  all: `request.state = 'completed'`,
  failed: 'request.status >= 400', // no more is said, so that the planner has one index to choose
  dead: 'request.dead = 1',
}

/** A page of an app's requests that ended in the window, the last one first. */
export function endedRequests(
  appId: AppId,
  which: Which,
  { from, to }: Window,
  { after, limit }: { readonly after: { readonly finishedAt: Moment; readonly seq: Seq }; readonly limit: number },
): Read<readonly ListedRequest[]> {
  const query = `select ${columns}
                 where request.app_id = ? and ${conditions[which]}
                   and request.finished_at >= ? and request.finished_at < ?
                   and (request.finished_at, request.seq) < (?, ?)
                 order by request.finished_at desc, request.seq desc
                 limit ?`
  return read({ text: query, values: [appId, from, to, after.finishedAt, after.seq, limit] }, listedRequest)
}

export function listedRequestById(id: RequestId): Read<ListedRequest | undefined> {
  return readOne({ text: `select ${columns} where request.id = ?`, values: [id] }, listedRequest)
}

/** One attempt of a request. How the last one ended is the request's outcome. */
export interface AttemptEntry {
  /** Counted from 1. */
  readonly number: number
  readonly runnerId: RunnerId
  readonly startedAt: Moment
  readonly failedAt?: Moment
  readonly failedStatus?: number
  readonly failedCode?: string
}

export function attemptsOf(id: RequestId): Read<readonly AttemptEntry[]> {
  return read(
    sql`select number, runner_id, started_at, failed_at, failed_status, failed_code
          from attempt where request_id = ${id} order by number`,
    (row) => ({
      number: number(row, 'number'),
      runnerId: text(row, 'runner_id'),
      startedAt: number(row, 'started_at'),
      ...present('failedAt', optionalNumber(row, 'failed_at')),
      ...present('failedStatus', optionalNumber(row, 'failed_status')),
      ...present('failedCode', optionalText(row, 'failed_code')),
    }),
  )
}

function listedRequest(row: Row): ListedRequest {
  return {
    ...storedRequest(row),
    dead: number(row, 'dead') === 1,
    ...present('retriedFrom', optionalText(row, 'retried_from')),
    ...present('input', row['path'] === null ? undefined : input(row)),
  }
}

function input(row: Row): Input {
  return {
    path: text(row, 'path'),
    callerId: text(row, 'caller_id'),
    bytes: number(row, 'length'),
    kept: number(row, 'kept') === 1,
  }
}
