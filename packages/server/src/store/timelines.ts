import type { AppId, RequestId, RunnerId } from '../domain/ids.ts'
import {
  requestTimeline,
  type AttemptFacts,
  type RequestFacts,
  type RequestTimeline,
  type RunnerStartUp,
} from '../domain/request-timeline.ts'
import type { Moment } from '../kit/clock.ts'
import { number, optionalNumber, optionalText, present, text } from './rows.ts'
import { done, read, readOne, sql, write } from './sql.ts'
import type { Read, Row, Store, Write } from './store.ts'

/** Where a request's time went until now; undefined when there is no such request. */
export async function timelineOf(
  store: Pick<Store, 'read'>,
  id: RequestId,
  now: Moment,
): Promise<RequestTimeline | undefined> {
  const found = await store.read(requestFacts(id))
  if (found === undefined) return undefined
  const coming = found.waits ? await store.read(comingRunner(found.appId)) : undefined
  return requestTimeline({ ...found.facts, ...present('coming', coming) }, now)
}

/** Notes that a runner's program runs: once. Nobody waits for it to be known. */
export function noteLaunch(id: RunnerId, now: Moment): Write<void> {
  return write([sql`update runner set launched_at = ${now} where id = ${id} and launched_at is null`], done)
}

interface Found {
  readonly appId: AppId
  readonly waits: boolean
  readonly facts: RequestFacts
}

function requestFacts(id: RequestId): Read<Found | undefined> {
  const rows = read(
    sql`select request.app_id, request.state, request.accepted_at, request.answered_at, request.finished_at,
               attempt.number, attempt.runner_id, attempt.started_at, attempt.failed_at, attempt.failed_code,
               attempt.failed_status, attempt.retry_at, runner.created_at as runner_created_at,
               coalesce(runner.started_at, runner.start_at) as runner_started_at,
               runner.launched_at as runner_launched_at, runner.ready_at as runner_ready_at
          from request
          left join attempt on attempt.request_id = request.id
          left join runner on runner.id = attempt.runner_id
         where request.id = ${id}
         order by attempt.number`,
    (row) => row,
  )
  return { ...rows, result: (all) => foundIn(rows.result(all)) }
}

function foundIn(rows: readonly Row[]): Found | undefined {
  const [row] = rows
  if (row === undefined) return undefined
  const facts = {
    acceptedAt: number(row, 'accepted_at'),
    ...present('answeredAt', optionalNumber(row, 'answered_at')),
    ...present('finishedAt', optionalNumber(row, 'finished_at')),
    attempts: rows.filter((each) => each['number'] !== null).map(attemptIn),
  }
  return { appId: text(row, 'app_id'), waits: text(row, 'state') === 'waiting', facts }
}

function attemptIn(row: Row): AttemptFacts {
  return {
    number: number(row, 'number'),
    runnerId: text(row, 'runner_id'),
    startedAt: number(row, 'started_at'),
    ...present('failedAt', optionalNumber(row, 'failed_at')),
    ...present('failedAs', optionalText(row, 'failed_code') ?? optionalText(row, 'failed_status')),
    ...present('retryAt', optionalNumber(row, 'retry_at')),
    ...present('runner', row['runner_created_at'] === null ? undefined : startUpIn(row)),
  }
}

/** The runner of an app that is coming up and has been doing so for longest, while none serves. */
function comingRunner(appId: AppId): Read<RunnerStartUp | undefined> {
  return readOne(
    sql`select created_at as runner_created_at, started_at as runner_started_at,
               launched_at as runner_launched_at, ready_at as runner_ready_at
          from runner
         where app_id = ${appId} and state <> 'terminated' and state in ('pending', 'setup')
           and not exists (select 1 from runner other
                            where other.app_id = ${appId} and other.state <> 'terminated' and other.state = 'serving')
         order by created_at, id
         limit 1`,
    startUpIn,
  )
}

function startUpIn(row: Row): RunnerStartUp {
  return {
    createdAt: number(row, 'runner_created_at'),
    ...present('startedAt', optionalNumber(row, 'runner_started_at')),
    ...present('launchedAt', optionalNumber(row, 'runner_launched_at')),
    ...present('readyAt', optionalNumber(row, 'runner_ready_at')),
  }
}
