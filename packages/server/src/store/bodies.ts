import type { AppId, RequestId, RunnerId } from '../domain/ids.ts'
import type { HeaderPairs, Outcome, RequestPayload, StoredBody } from '../domain/request.ts'
import { bytes, json, number, optionalText, text } from './rows.ts'
import { readOne, sql } from './sql.ts'
import type { Read, Row, Statement } from './store.ts'

/** A request's outcome as it is shown, once it is visible. Never changes. */
export interface StoredResult {
  readonly status: number
  readonly headers: HeaderPairs
  readonly body: StoredBody
  readonly runnerId?: RunnerId
}

/** What is sent to the app; undefined when it is kept no longer. */
export function payloadOf(id: RequestId): Read<RequestPayload | undefined> {
  return readOne(
    sql`select method, path, headers, caller_id, body, blob, length from request_body where request_id = ${id}`,
    (row) => ({
      method: text(row, 'method'),
      path: text(row, 'path'),
      headers: json<HeaderPairs>(row, 'headers'),
      callerId: text(row, 'caller_id'),
      body: storedBody(row),
    }),
  )
}

/** As whom the app was told its caller is: what clients ask about again and again needs no body. */
export function submitterOf(id: RequestId): Read<string | undefined> {
  return readOne(sql`select caller_id from request_body where request_id = ${id}`, (row) => text(row, 'caller_id'))
}

/** The result of a completed request; undefined while it has none. */
export function resultOf(id: RequestId): Read<StoredResult | undefined> {
  return readOne(
    sql`select request.status, result.runner_id, result.headers, result.body, result.blob, result.length
          from result join request on request.id = result.request_id
         where result.request_id = ${id}`,
    (row) => ({
      status: number(row, 'status'),
      headers: json<HeaderPairs>(row, 'headers'),
      body: storedBody(row),
      runnerId: optionalText(row, 'runner_id'),
    }),
  )
}

export function insertBody(id: RequestId, { method, path, headers, callerId, body }: RequestPayload): Statement {
  const { inline, blob, length } = columnsOf(body)
  return sql`insert into request_body (request_id, method, path, headers, caller_id, body, blob, length)
             values (${id}, ${method}, ${path}, ${headers}, ${callerId}, ${inline}, ${blob}, ${length})`
}

/** A result only where the request is completed and has none: the first outcome is the only one. */
export function insertResult(id: RequestId, { headers, body, runnerId }: Outcome): Statement {
  const { inline, blob, length } = columnsOf(body)
  return sql`insert into result (request_id, runner_id, headers, body, blob, length)
             select id, ${runnerId}, ${headers}, ${inline}, ${blob}, ${length}
               from request
              where id = ${id} and state = 'completed'
                 on conflict do nothing`
}

/** The results of the first `limit` waiting requests, written before these are completed. */
export function insertResultsOfWaiting(appId: AppId, { headers, body }: Outcome, limit: number): Statement {
  const { inline, blob, length } = columnsOf(body)
  return sql`insert into result (request_id, headers, body, blob, length)
             select id, ${headers}, ${inline}, ${blob}, ${length}
               from request
              where app_id = ${appId} and state = 'waiting' and state <> 'completed'
              order by seq limit ${limit}
                 on conflict do nothing`
}

function columnsOf(body: StoredBody) {
  return 'inline' in body
    ? { inline: body.inline, blob: null, length: body.inline.byteLength }
    : { inline: null, blob: body.blob, length: body.length }
}

function storedBody(row: Row): StoredBody {
  const blob = optionalText(row, 'blob')
  return blob === undefined ? { inline: bytes(row, 'body') } : { blob, length: number(row, 'length') }
}
