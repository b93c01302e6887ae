import type { RunnerLife } from '../domain/app-events.ts'
import type { AccountId, AppId, KeyId, RequestId, RunnerId, Seq } from '../domain/ids.ts'
import type { Moment } from '../kit/clock.ts'
import { bytes, json, number, optionalNumber, optionalText, present, text } from './rows.ts'
import { read, readOne, sql, write } from './sql.ts'
import type { Read, Row, Write } from './store.ts'

/** A time of interest: `from` belongs to it, `to` does not. */
export interface Window {
  readonly from: Moment
  readonly to: Moment
}

/** A request of the queue that has ended, as reports count it. */
export interface FinishedRequest {
  readonly id: RequestId
  readonly seq: Seq
  readonly acceptedAt: Moment
  /** When its last attempt started; absent when none did. */
  readonly startedAt?: Moment
  readonly finishedAt: Moment
  readonly status: number
  /** There when the platform, not the app, has ended it. */
  readonly errorCode?: string
  readonly runnerId?: RunnerId
  /** Below `owner/app`, without the query. */
  readonly path: string
}

/** Where a page begins: behind this request, in the order of `finishedRequests`. */
export type After = Pick<FinishedRequest, 'finishedAt' | 'seq'>

/** A page of an app's requests that ended in the window, the last one first. */
export function finishedRequests(
  appId: AppId,
  { from, to }: Window,
  { after, limit }: { readonly after?: After | undefined; readonly limit: number },
): Read<readonly FinishedRequest[]> {
  const last = after ?? { finishedAt: to, seq: Number.MAX_SAFE_INTEGER }
  return read(
    sql`select request.seq, request.id, request.accepted_at, request.started_at, request.finished_at, request.status,
               request.error_code, request.runner_id, request_body.path
          from request left join request_body on request_body.request_id = request.id
         where request.app_id = ${appId} and request.state = 'completed'
           and request.finished_at >= ${from} and request.finished_at < ${to}
           and (request.finished_at, request.seq) < (${last.finishedAt}, ${last.seq})
         order by request.finished_at desc, request.seq desc
         limit ${limit}`,
    finishedRequest,
  )
}

/** One request of an account's own apps, once it has ended. */
export function finishedRequestById(appId: AppId, id: RequestId): Read<FinishedRequest | undefined> {
  return readOne(
    sql`select request.seq, request.id, request.accepted_at, request.started_at, request.finished_at, request.status,
               request.error_code, request.runner_id, request_body.path
          from request left join request_body on request_body.request_id = request.id
         where request.id = ${id} and request.app_id = ${appId} and request.state = 'completed'`,
    finishedRequest,
  )
}

/** What a request sent and got, as far as it is short enough to stand in its row. */
export interface Exchanged {
  readonly id: RequestId
  readonly input?: Uint8Array
  readonly output?: Uint8Array
  /** The app's word in its answer, or what it reported later. */
  readonly units?: string
}

/** The bodies of these requests, and what they were worth. A body that is kept apart is left out. */
export function exchanged(ids: readonly RequestId[]): Read<readonly Exchanged[]> {
  const places = ids.map(() => '?').join(', ') || 'null'
  return read(
    {
      text: `select request.id, request_body.body as input, request_body.blob as input_blob,
                    result.body as output, result.blob as output_blob, result.headers, billable_units.units
               from request
               left join request_body on request_body.request_id = request.id
               left join result on result.request_id = request.id
               left join billable_units on billable_units.request_id = request.id
              where request.id in (${places})`,
      values: ids,
    },
    (row) => ({
      id: text(row, 'id'),
      ...present('input', row['input'] === null ? undefined : bytes(row, 'input')),
      ...present('output', row['output'] === null ? undefined : bytes(row, 'output')),
      ...present('units', optionalText(row, 'units') ?? unitsIn(row)),
    }),
  )
}

/**
 * Notes what a request was worth; what was said first stands. `false` when there is no such request of this app. One that
 * is in the sums of usage already is left open there, once.
 */
export function reportUnits(appId: AppId, id: RequestId, units: string, now: Moment): Write<boolean> {
  return write(
    [
      sql`insert into usage_open (seq, counted)
          select seq, 1 from request
           where id = ${id} and app_id = ${appId} and state = 'completed'
             and seq <= (select value from usage_state where name = 'seq')
             and not exists (select 1 from billable_units where request_id = request.id)
              on conflict do nothing`,
      sql`insert into billable_units (request_id, units, reported_at)
          select id, ${units}, ${now} from request where id = ${id} and app_id = ${appId}
              on conflict (request_id) do update set reported_at = billable_units.reported_at`,
    ],
    ([, noted]) => (noted?.changes ?? 0) > 0,
  )
}

/** The app whose runner has this key. */
export function runnerAppOfKey(keyId: KeyId): Read<AppId | undefined> {
  return readOne(sql`select app_id from runner where key_id = ${keyId}`, (row) => text(row, 'app_id'))
}

/** The runners of an app that lived in the window, the youngest first. */
export function runnerSpans(appId: AppId, { from, to }: Window, limit: number): Read<readonly RunnerLife[]> {
  return read(
    // Older rows have only the moment before which it was not to start, where it had to wait.
    sql`select id, machine_type, revision_id, created_at,
               coalesce(started_at, start_at, created_at) as started_at, ready_by,
               ready_at, draining_since, drain_reason, ended_at, end_reason
          from runner
         where app_id = ${appId} and created_at < ${to} and (ended_at is null or ended_at >= ${from})
         order by created_at desc, id desc
         limit ${limit}`,
    (row) => ({
      id: text(row, 'id'),
      machineType: text(row, 'machine_type'),
      revisionId: text(row, 'revision_id'),
      createdAt: number(row, 'created_at'),
      ...present('startedAt', row['ready_by'] === null ? undefined : number(row, 'started_at')),
      ...present('readyAt', optionalNumber(row, 'ready_at')),
      ...present('drainingAt', optionalNumber(row, 'draining_since')),
      ...present('drainReason', optionalText(row, 'drain_reason')),
      ...present('endedAt', optionalNumber(row, 'ended_at')),
      ...present('endReason', optionalText(row, 'end_reason')),
    }),
  )
}

/** How long an app had runners of one machine type. */
export interface RunnerTime {
  readonly app: string
  readonly environment: string
  readonly machineType: string
  readonly milliseconds: number
  /** Times its GPUs. */
  readonly gpuMilliseconds: number
}

/**
 * An account's runner time within the window, as `paidSpan` has it: from each runner's start to its end; also of apps that
 * were deleted.
 */
export function runnerTimes(accountId: AccountId, { from, to }: Window): Read<readonly RunnerTime[]> {
  return read(
    sql`select app.name, app.environment, runner.machine_type, sum(runner.ended - runner.began) as milliseconds,
               sum((runner.ended - runner.began) * runner.gpu_count) as gpu_milliseconds
          from (select app_id, machine_type, gpu_count,
                       case when began < ${from} then ${from} else began end as began,
                       case when known_until < ended then known_until else ended end as ended
                  from (select app_id, machine_type, gpu_count, known_until,
                               coalesce(started_at, start_at, created_at) as began,
                               case when ended_at < ${to} then ended_at else ${to} end as ended
                          from runner
                         where account_id = ${accountId} and ready_by is not null and created_at < ${to}
                           and (ended_at is null or ended_at > ${from})) as lived) as runner
          join app on app.id = runner.app_id
         where runner.ended > runner.began
         group by app.name, app.environment, runner.machine_type
         order by app.name, app.environment, runner.machine_type`,
    (row) => ({
      app: text(row, 'name'),
      environment: text(row, 'environment'),
      machineType: text(row, 'machine_type'),
      milliseconds: number(row, 'milliseconds'),
      gpuMilliseconds: number(row, 'gpu_milliseconds'),
    }),
  )
}

function finishedRequest(row: Row): FinishedRequest {
  return {
    id: text(row, 'id'),
    seq: number(row, 'seq'),
    acceptedAt: number(row, 'accepted_at'),
    finishedAt: number(row, 'finished_at'),
    status: number(row, 'status'),
    path: (optionalText(row, 'path') ?? '/').split('?')[0] ?? '/',
    ...present('startedAt', optionalNumber(row, 'started_at')),
    ...present('errorCode', optionalText(row, 'error_code')),
    ...present('runnerId', optionalText(row, 'runner_id')),
  }
}

function unitsIn(row: Row): string | undefined {
  if (row['headers'] === null) return undefined
  const headers = json<readonly (readonly [string, string])[]>(row, 'headers')
  return headers.find(([name]) => name === 'x-fal-billable-units')?.[1]
}
