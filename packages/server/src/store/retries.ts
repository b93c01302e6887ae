import type { Moment } from '../kit/clock.ts'
import type { AppId, KeyId, RequestId } from '../domain/ids.ts'
import type { QueuedRequest } from '../domain/request.ts'
import { queuedRequest } from './request-rows.ts'
import { text } from './rows.ts'
import { read, readOne, sql, write } from './sql.ts'
import type { Read, Write } from './store.ts'

/** A request that sends another one again. */
export interface Retry {
  readonly id: RequestId
  readonly appId: AppId
  /** One that has ended. */
  readonly original: RequestId
  /** Of whoever asked for it. */
  readonly keyId: KeyId
  readonly now: Moment
}

/**
 * Accepts a request with the input, the caller, the priority, the webhook and the word on retries of one that has ended,
 * whose start deadline it does not have. Undefined when there is no such request or its input is kept no longer: then nothing is stored.
 */
export function acceptRetry({ id, appId, original, keyId, now }: Retry): Write<QueuedRequest | undefined> {
  return write(
    [
      sql`insert into request (id, app_id, key_id, state, priority, retry, accepted_at, retried_from)
          select ${id}, app_id, ${keyId}, 'waiting', priority, retry, ${now}, id
            from request
           where id = ${original} and app_id = ${appId} and state = 'completed'
             and exists (select 1 from request_body
                          where request_id = ${original} and (body is not null or blob is not null))
          returning seq, id, key_id, state, priority, attempt, due_at, start_by, retry, used, runner_id, accepted_at,
                    cancel_requested_at`,
      sql`insert into request_body (request_id, method, path, headers, caller_id, body, blob, length)
          select ${id}, method, path, headers, caller_id, body, blob, length
            from request_body
           where request_id = ${original} and exists (select 1 from request where id = ${id})`,
      sql`insert into webhook (request_id, account_id, url, host, state)
          select ${id}, account_id, url, host, 'waiting'
            from webhook
           where request_id = ${original} and exists (select 1 from request where id = ${id})`,
    ],
    ([accepted]) => {
      const [row] = accepted?.rows ?? []
      return row && queuedRequest(appId, row).request
    },
  )
}

/** The request that this one sends again; undefined when it sends none. */
export function originalOf(id: RequestId): Read<RequestId | undefined> {
  return readOne(sql`select retried_from from request where id = ${id} and retried_from is not null`, (row) =>
    text(row, 'retried_from'),
  )
}

/** The requests that sent this one again, the first one first. */
export function retriesOf(id: RequestId, limit: number): Read<readonly RequestId[]> {
  return read(sql`select id from request where retried_from = ${id} order by seq limit ${limit}`, (row) =>
    text(row, 'id'),
  )
}
