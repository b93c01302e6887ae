import type { AppId, KeyId, RequestId, RunnerId } from '../domain/ids.ts'
import type { EndedRequests } from '../domain/retention.ts'
import type { Moment } from '../kit/clock.ts'
import { queueIn } from './apps.ts'
import { number, optionalText, text } from './rows.ts'
import { read, sql, write } from './sql.ts'
import type { Read, SqlValue, Statement, StatementResult, Write } from './store.ts'

/** How much goes in one commit: two or three milliseconds of the writer's time, which everybody in that commit shares. */
export const stepSize = 200

/**
 * The tables of what hangs on a request, by `request_id`. It goes with the request, whatever adds to this list; a test
 * finds tables that are missing here.
 */
const hangingOnRequest = ['request_body', 'result', 'attempt', 'billable_units', 'idempotency_key', 'webhook'] as const

/**
 * The apps with requests that have ended, and when the first of each did. However many there are, it steps from app to
 * app in the index `request_finished`.
 */
export function endedRequests(): Read<readonly EndedRequests[]> {
  return read(
    sql`with recursive ended (app_id) as (
          select min(app_id) from request where state = 'completed'
          union all
          select (select min(app_id) from request where state = 'completed' and app_id > ended.app_id)
            from ended where ended.app_id is not null)
        select app.id, app.queue,
               (select min(finished_at) from request where state = 'completed' and app_id = app.id) as oldest
          from ended join app on app.id = ended.app_id`,
    (row) => ({ appId: text(row, 'id'), oldest: number(row, 'oldest'), queue: queueIn(row) }),
  )
}

/** Up to a step of an app's requests that ended before then, the first of them first; not those of which somebody is still to be told. */
export function oldRequests(appId: AppId, before: Moment): Read<readonly RequestId[]> {
  return read(
    sql`select id from request
         where app_id = ${appId} and state = 'completed' and finished_at < ${before}
           and not exists (select 1 from webhook where webhook.request_id = request.id and webhook.state = 'due')
         order by finished_at, seq
         limit ${stepSize}`,
    (row) => text(row, 'id'),
  )
}

/** Takes these requests away with all that hangs on them; those that have not ended stay. Answers how many. */
export function forgetRequests(ids: readonly RequestId[]): Write<number> {
  return write(
    [
      ...hangingOnRequest.map((table) => whereIn(`delete from ${table} where request_id`, ids)),
      whereIn(`delete from request where state = 'completed' and id`, ids),
    ],
    changesOfLast,
    ['retention'],
  )
}

/** A request that has ended, whose payloads nobody wants kept. */
interface Unkept {
  readonly id: RequestId
  /** Below `owner/app`, with the query. */
  readonly path: string
}

/** Up to a step of those that ended before then and still have their payloads. */
export function unkeptRequests(before: Moment): Read<readonly Unkept[]> {
  return read(
    sql`select request.id, request_body.path
          from request left join request_body on request_body.request_id = request.id
         where request.drop_io = 1 and request.state = 'completed' and request.finished_at < ${before}
         order by request.finished_at
         limit ${stepSize}`,
    (row) => ({ id: text(row, 'id'), path: optionalText(row, 'path') ?? '/' }),
  )
}

/** Takes away what these requests sent and got. When they ran, for whom, and how they ended stays. */
export function dropPayloads(requests: readonly Unkept[]): Write<number> {
  const ids = requests.map(({ id }) => id)
  return write(
    [
      ...requests.map(
        ({ id, path }) =>
          sql`update request_body
                 set path = ${path.split('?')[0] ?? '/'}, headers = '[]', body = null, blob = null, length = 0
               where request_id = ${id}`,
      ),
      whereIn('delete from result where request_id', ids),
      whereIn('update request set drop_io = 0 where drop_io = 1 and id', ids),
    ],
    changesOfLast,
    ['retention'],
  )
}

/** A runner that has ended, with the key that was made for it. */
interface FormerRunner {
  readonly id: RunnerId
  readonly keyId: KeyId | undefined
}

/** Up to a step of the runners that ended before then, the first of them first. */
export function oldRunners(before: Moment): Read<readonly FormerRunner[]> {
  return read(
    sql`select id, key_id from runner
         where state = 'terminated' and ended_at < ${before}
         order by ended_at
         limit ${stepSize}`,
    (row) => ({ id: text(row, 'id'), keyId: optionalText(row, 'key_id') }),
  )
}

/** Takes the rows of these runners away, and those of their keys, which were revoked when they ended. */
export function forgetRunners(runners: readonly FormerRunner[]): Write<number> {
  const keys = runners.flatMap(({ keyId }) => keyId ?? [])
  return write(
    [
      whereIn(`delete from api_key where holder = 'runner' and revoked_at is not null and id`, keys),
      whereIn(
        `delete from runner where state = 'terminated' and id`,
        runners.map(({ id }) => id),
      ),
    ],
    changesOfLast,
  )
}

const places = Array.from({ length: stepSize }, () => '?').join(', ')

/** A statement that ends in a column, for these values of it. It is one text for any number of them up to a step. */
function whereIn(statement: string, values: readonly SqlValue[]): Statement {
  const rest = Array.from<null>({ length: stepSize - values.length }).fill(null)
  return { text: `${statement} in (${places})`, values: [...values, ...rest] }
}

const changesOfLast = (results: readonly StatementResult[]): number => results.at(-1)?.changes ?? 0
