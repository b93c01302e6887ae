import type { Moment } from '../kit/clock.ts'
import type { RequestId } from '../domain/ids.ts'
import { optionalText, text } from './rows.ts'
import { done, read, sql, write } from './sql.ts'
import type { Read, Statement, Write } from './store.ts'

/** Says that nothing of what a request carries is kept. */
export function insertUnkept(id: RequestId): Statement {
  return sql`insert into unkept (request_id) values (${id})`
}

export interface Unkept {
  readonly requestId: RequestId
  /** Undefined where the request is gone altogether. */
  readonly path: string | undefined
}

/** Some of the unkept requests that ended by then, or are gone. */
export function unkeptEndedBy(moment: Moment, limit: number): Read<readonly Unkept[]> {
  return read(
    sql`select unkept.request_id, request_body.path
          from unkept
          left join request on request.id = unkept.request_id
          left join request_body on request_body.request_id = unkept.request_id
         where request.id is null or (request.state = 'completed' and request.finished_at <= ${moment})
         limit ${limit}`,
    (row) => ({ requestId: text(row, 'request_id'), path: optionalText(row, 'path') }),
  )
}

/** Forgets what was sent and what was answered, and keeps who called what and how it ended. Files go when nothing names them. */
export function forgetPayloads({ requestId, path = '/' }: Unkept): Write<void> {
  const [endpoint = '/'] = path.split('?')
  return write(
    [
      sql`update request_body
             set path = ${endpoint}, headers = '[]', body = ${new Uint8Array()}, blob = null, length = 0
           where request_id = ${requestId}`,
      sql`delete from result where request_id = ${requestId}`,
      sql`delete from unkept where request_id = ${requestId}`,
    ],
    done,
  )
}
