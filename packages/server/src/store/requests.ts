import type { Moment } from '../kit/clock.ts'
import type { ErrorCode } from '../domain/errors.ts'
import type { AppId, RequestId, RunnerId, Seq } from '../domain/ids.ts'
import type { NewRequest, Outcome } from '../domain/request.ts'
import type { RetryBudgets } from '../domain/revision.ts'
import { insertBody, insertResult, insertResultsOfWaiting } from './bodies.ts'
import { queuedRequest, storedRequest, type StoredRequest, type UnfinishedRequest } from './request-rows.ts'
import { number, text } from './rows.ts'
import { firstWon, read, readOne, sql, write } from './sql.ts'
import type { Read, Statement, StatementResult, Write } from './store.ts'
import { insertWebhook, webhookIsDue, webhooksOfWaitingAreDue } from './webhooks.ts'

/** The attempt that a write speaks of. */
export interface AttemptOf {
  readonly requestId: RequestId
  /** Counted from 1. */
  readonly attempt: number
}

/** Where a first attempt starts, and when. */
export interface FirstSlot {
  readonly runnerId: RunnerId
  readonly now: Moment
}

/** Accepts a request and answers its place in the order. With a slot, its first attempt starts in the same commit. */
export function acceptRequest(request: NewRequest, slot?: FirstSlot): Write<Seq> {
  return write(acceptance(request, slot), ([accepted]) => Number(accepted?.rows[0]?.['seq']))
}

/** The rows of a new request, its own first. */
export function acceptance(request: NewRequest, slot?: FirstSlot): readonly Statement[] {
  return [
    insertRequest(request, slot),
    insertBody(request.id, request.payload),
    ...(request.dropIo ? [sql`update request set drop_io = 1 where id = ${request.id}`] : []),
    ...(slot ? [insertFirstAttempt(request.id, slot)] : []),
    ...(request.webhook ? [insertWebhook(request.id, request.webhook)] : []),
  ]
}

/** Starts an attempt of a waiting request. `false` when it no longer waits for just this attempt: then it must not run. */
export function startAttempt(start: AttemptOf & { runnerId: RunnerId; now: Moment }): Write<boolean> {
  const { requestId, attempt, runnerId, now } = start
  return write(
    [
      sql`update request
             set state = 'running', attempt = ${attempt}, runner_id = ${runnerId}, started_at = ${now}
           where id = ${requestId} and state = 'waiting' and attempt = ${attempt - 1}`,
      insertAttempt(start),
    ],
    firstWon,
  )
}

/**
 * Records an attempt's outcome. `false` when it is no longer the current attempt: then its result is dropped. `dead`
 * makes it a dead letter. `answeredAt` is when the app's answer was over, where that was seen; `hasWebhook` is
 * false where nobody is to be told, which saves a statement.
 */
export function finishAttempt({
  requestId,
  attempt,
  outcome,
  answeredAt,
  now,
  dead = false,
  hasWebhook = true,
}: AttemptOf & {
  outcome: Outcome
  hasWebhook?: boolean | undefined
  answeredAt?: Moment | undefined
  now: Moment
  dead?: boolean
}): Write<boolean> {
  return write(
    [
      ...(dead ? [markDead({ requestId, attempt })] : []),
      sql`update request
             set state = 'completed', finished_at = ${now}, answered_at = ${answeredAt}, status = ${outcome.status},
                 error_code = ${outcome.error?.code}, error_message = ${outcome.error?.message}
           where id = ${requestId} and attempt = ${attempt} and state = 'running'`,
      insertResult(requestId, outcome),
      ...(hasWebhook ? [webhookIsDue(requestId, now)] : []),
    ],
    firstWon,
    hasWebhook ? ['webhook'] : [],
  )
}

/**
 * Puts a request whose attempt failed back into the queue, and notes how the attempt failed. `false` when it is not the
 * current attempt, or was cancelled.
 */
export function retryLater({
  requestId,
  attempt,
  dueAt,
  used,
  failed,
}: AttemptOf & { dueAt: Moment; used: RetryBudgets; failed?: FailedAttempt }): Write<boolean> {
  return write(
    [
      sql`update request
             set state = 'waiting', due_at = ${dueAt}, used = ${used}
           where id = ${requestId} and attempt = ${attempt} and state = 'running' and cancel_requested_at is null`,
      ...(failed ? [noteFailure({ requestId, attempt }, failed)] : []),
    ],
    firstWon,
  )
}

/** How an attempt ended that is followed by another. */
export interface FailedAttempt {
  readonly at: Moment
  readonly status: number
  /** There when the platform, not the app, has spoken. */
  readonly code?: ErrorCode | undefined
  /** When the next may begin. */
  readonly retryAt?: Moment | undefined
}

function noteFailure({ requestId, attempt }: AttemptOf, { at, status, code, retryAt }: FailedAttempt): Statement {
  return sql`update attempt
                set failed_at = ${at}, failed_status = ${status}, failed_code = ${code}, retry_at = ${retryAt}
              where request_id = ${requestId} and number = ${attempt} and failed_at is null`
}

/** Before its outcome, under the same condition: both happen or neither. */
function markDead({ requestId, attempt }: AttemptOf): Statement {
  return sql`update request set dead = 1 where id = ${requestId} and attempt = ${attempt} and state = 'running'`
}

/** Ends a request that waits. `false` when it waits no longer. */
export function completeWaiting({
  requestId,
  outcome,
  now,
}: {
  requestId: RequestId
  outcome: Outcome
  now: Moment
}): Write<boolean> {
  return write(
    [completeIfWaiting(requestId, outcome, now), insertResult(requestId, outcome), webhookIsDue(requestId, now)],
    firstWon,
    ['webhook'],
  )
}

/** What a cancellation came to: ended while it waited, asked of the running attempt, or neither. */
export type Cancelled = 'ended' | 'asked' | 'too_late'

/** Ends a waiting request with the outcome, or remembers that a running one was asked to stop: then it is not retried. */
export function requestCancel({
  requestId,
  outcome,
  now,
}: {
  requestId: RequestId
  outcome: Outcome
  now: Moment
}): Write<Cancelled> {
  return write(
    [
      completeIfWaiting(requestId, outcome, now),
      insertResult(requestId, outcome),
      sql`update request set cancel_requested_at = coalesce(cancel_requested_at, ${now})
           where id = ${requestId} and state = 'running'`,
      webhookIsDue(requestId, now),
    ],
    ([ended, , asked]) => (changed(ended) ? 'ended' : changed(asked) ? 'asked' : 'too_late'),
    ['webhook'],
  )
}

/** Ends up to `limit` of an app's waiting requests with one outcome, and tells how many. */
export function completeWaitingOf(
  appId: AppId,
  { outcome, now, limit }: { outcome: Outcome; now: Moment; limit: number },
): Write<number> {
  return write(
    [
      insertResultsOfWaiting(appId, outcome, limit),
      webhooksOfWaitingAreDue(appId, now, limit),
      sql`update request
             set state = 'completed', finished_at = ${now}, status = ${outcome.status},
                 error_code = ${outcome.error?.code}, error_message = ${outcome.error?.message}
           where seq in (select seq from request
                          where app_id = ${appId} and state = 'waiting' and state <> 'completed'
                          order by seq limit ${limit})`,
    ],
    ([, , ended]) => ended?.changes ?? 0,
    ['webhook'],
  )
}

/** The place of the newest request in the order; 0 when there is none. */
export function newestSeq(): Read<Seq> {
  return {
    statement: sql`select coalesce(max(seq), 0) as newest from request`,
    result: ([row]) => Number(row?.['newest'] ?? 0),
  }
}

/**
 * What a home reads when it starts: a page of the app's requests that have no outcome yet, in the order they came. Places in the
 * order are from behind `after` to `upTo`.
 */
export function unfinishedRequests(
  appId: AppId,
  { after, upTo }: { readonly after: Seq; readonly upTo: Seq },
  limit: number,
): Read<readonly UnfinishedRequest[]> {
  return read(
    sql`select seq, id, key_id, state, priority, attempt, due_at, start_by, retry, used, runner_id, accepted_at,
               cancel_requested_at
          from request
         where app_id = ${appId} and state <> 'completed' and seq > ${after} and seq <= ${upTo}
         order by seq
         limit ${limit}`,
    (row) => queuedRequest(appId, row),
  )
}

/** What waits for an app, whose: of one caller, or of all. */
export interface WaitingOf {
  readonly appId: AppId
  readonly callerId?: string
  readonly acceptedBy: Moment
}

/** A page of the requests that wait for an app and were accepted by then, in the order they came. */
export function waitingRequests(
  { appId, callerId, acceptedBy }: WaitingOf,
  after: Seq,
  limit: number,
): Read<readonly { readonly id: RequestId; readonly seq: Seq }[]> {
  return read(
    sql`select request.id, request.seq
          from request join request_body on request_body.request_id = request.id
         where request.app_id = ${appId} and request.state <> 'completed' and request.state = 'waiting'
           and request.accepted_at <= ${acceptedBy} and request_body.caller_id = coalesce(${callerId}, request_body.caller_id)
           and request.seq > ${after}
         order by request.seq
         limit ${limit}`,
    (row) => ({ id: text(row, 'id'), seq: number(row, 'seq') }),
  )
}

/** How many requests of each caller wait for an app, most first. */
export function waitingByCaller(appId: AppId): Read<readonly { readonly callerId: string; readonly count: number }[]> {
  return read(
    sql`select request_body.caller_id, count(*) as waiting
          from request join request_body on request_body.request_id = request.id
         where request.app_id = ${appId} and request.state <> 'completed' and request.state = 'waiting'
         group by request_body.caller_id
         order by waiting desc, request_body.caller_id`,
    (row) => ({ callerId: text(row, 'caller_id'), count: number(row, 'waiting') }),
  )
}

/** The apps whose homes have something to read. */
export function appsWithUnfinished(): Read<readonly AppId[]> {
  return read(sql`select distinct app_id from request where state <> 'completed'`, (row) => text(row, 'app_id'))
}

export function requestById(id: RequestId): Read<StoredRequest | undefined> {
  return readOne(
    sql`select seq, id, app_id, key_id, state, priority, attempt, runner_id, accepted_at, started_at, finished_at,
               status, error_code, error_message, cancel_requested_at
          from request where id = ${id}`,
    storedRequest,
  )
}

function insertRequest(request: NewRequest, slot?: FirstSlot): Statement {
  const { id, appId, keyId, priority, startBy, retry, acceptedAt } = request
  return sql`insert into request (id, app_id, key_id, priority, start_by, retry, accepted_at,
                                  state, attempt, runner_id, started_at)
             values (${id}, ${appId}, ${keyId}, ${priority}, ${startBy}, ${retry}, ${acceptedAt},
                     ${slot ? 'running' : 'waiting'}, ${slot ? 1 : 0}, ${slot?.runnerId}, ${slot?.now})
             returning seq`
}

/** In the commit that accepts the request as running it. */
function insertFirstAttempt(requestId: RequestId, { runnerId, now }: FirstSlot): Statement {
  return sql`insert into attempt (request_id, number, runner_id, started_at)
             values (${requestId}, 1, ${runnerId}, ${now})`
}

/** Only where the request is running that attempt there: a start that was refused leaves no trace. */
function insertAttempt({
  requestId,
  attempt,
  runnerId,
  now,
}: AttemptOf & { runnerId: RunnerId; now: Moment }): Statement {
  return sql`insert into attempt (request_id, number, runner_id, started_at)
             select id, attempt, runner_id, started_at from request
              where id = ${requestId} and attempt = ${attempt} and state = 'running'
                and runner_id = ${runnerId} and started_at = ${now}
                 on conflict do nothing`
}

function completeIfWaiting(requestId: RequestId, outcome: Outcome, now: Moment): Statement {
  return sql`update request
                set state = 'completed', finished_at = ${now}, status = ${outcome.status},
                    error_code = ${outcome.error?.code}, error_message = ${outcome.error?.message}
              where id = ${requestId} and state = 'waiting'`
}

const changed = (result: StatementResult | undefined): boolean => (result?.changes ?? 0) > 0
