import type { RequestId, RunnerId } from '../domain/ids.ts'
import type { Runner } from '../domain/runner.ts'
import type { RunnerRecord } from '../domain/runner-story.ts'
import type { Moment } from '../kit/clock.ts'
import { number, optionalNumber, optionalText, present, text } from './rows.ts'
import { readOne, sql } from './sql.ts'
import type { Read, Row } from './store.ts'

/** What a request waits for besides a slot. */
export interface RequestWait {
  /** Its next attempt may begin then; 0 for at once. */
  readonly dueAt: Moment
  readonly startBy?: Moment
}

export function waitOf(id: RequestId): Read<RequestWait | undefined> {
  return readOne(sql`select due_at, start_by from request where id = ${id}`, (row) => ({
    dueAt: number(row, 'due_at'),
    ...present('startBy', optionalNumber(row, 'start_by')),
  }))
}

/** All that is on record of a runner's life, and whose it is. */
export function runnerRecord(id: RunnerId): Read<(RunnerRecord & { readonly accountId: string }) | undefined> {
  return readOne(
    sql`select id, app_id, account_id, revision_id, machine_type, state, created_at, start_at, started_at, ready_by,
               ready_at, draining_since, drain_reason, ended_at, end_reason, exit_code, exit_signal
          from runner where id = ${id}`,
    recordIn,
  )
}

function recordIn(row: Row): RunnerRecord & { readonly accountId: string } {
  const code = optionalNumber(row, 'exit_code')
  const signal = optionalText(row, 'exit_signal')
  const hasExit = code !== undefined || signal !== undefined
  return {
    id: text(row, 'id'),
    appId: text(row, 'app_id'),
    accountId: text(row, 'account_id'),
    revisionId: text(row, 'revision_id'),
    machineType: text(row, 'machine_type'),
    state: text(row, 'state') as Runner['state'], // the table refuses any other word
    createdAt: number(row, 'created_at'),
    ...present('startAt', optionalNumber(row, 'start_at')),
    ...present('startedAt', optionalNumber(row, 'started_at')),
    ...present('readyBy', optionalNumber(row, 'ready_by')),
    ...present('readyAt', optionalNumber(row, 'ready_at')),
    ...present('drainingSince', optionalNumber(row, 'draining_since')),
    ...present('drainReason', optionalText(row, 'drain_reason')),
    ...present('endedAt', optionalNumber(row, 'ended_at')),
    ...present('endReason', optionalText(row, 'end_reason')),
    ...present('exit', hasExit ? { code: code ?? null, signal: signal ?? null } : undefined),
  }
}
