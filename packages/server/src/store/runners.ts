import type { AccountId, RunnerId } from '../domain/ids.ts'
import type { Placement } from '../domain/placement.ts'
import type {
  Address,
  EndReason,
  Exit,
  Identity,
  LiveRunner,
  Runner,
  StopReason,
  Terminated,
} from '../domain/runner.ts'
import { assertNever } from '../kit/assert-never.ts'
import type { Moment } from '../kit/clock.ts'
import { json, number, optionalNumber, optionalText, present, text } from './rows.ts'
import { firstWon, read, readOne, sql, write } from './sql.ts'
import type { Read, Row, Write } from './store.ts'

/** Puts a new runner on record. It is durable before anything is started for it. `false` when there is one with this id. */
export function addRunner(runner: LiveRunner): Write<boolean> {
  const { id, appId, accountId, revisionId, machineType, createdAt, keyId } = runner
  const { machineId, cpus, memoryBytes, gpus, gpuCount } = placeOf(runner)
  const { startAt, startedAt, readyBy, readyAt, host, port, drainReason, drainingSince, killAt } = columnsOf(runner)
  return write(
    [
      sql`insert into runner (id, app_id, account_id, revision_id, machine_type, state, key_id, created_at, start_at,
                              started_at, ready_by, ready_at, host, port, drain_reason, draining_since, kill_at,
                              machine_id, cpus, memory_bytes, gpus, gpu_count)
          values (${id}, ${appId}, ${accountId}, ${revisionId}, ${machineType}, ${runner.state}, ${keyId}, ${createdAt},
                  ${startAt}, ${startedAt}, ${readyBy}, ${readyAt}, ${host}, ${port}, ${drainReason}, ${drainingSince}, ${killAt},
                  ${machineId}, ${cpus}, ${memoryBytes}, ${gpus}, ${gpuCount})
              on conflict do nothing`,
    ],
    firstWon,
    ['runner'],
  )
}

/** Records a step. `false` when the runner is no longer in the state it came from: then nothing was changed. */
export function saveRunner(from: LiveRunner['state'], to: Runner): Write<boolean> {
  const columns = columnsOf(to)
  const place = placeOf(to)
  return write(
    [
      sql`update runner
             set state = ${to.state}, key_id = ${to.keyId}, machine_type = ${to.machineType},
                 machine_id = ${place.machineId}, cpus = ${place.cpus}, memory_bytes = ${place.memoryBytes},
                 gpus = ${place.gpus}, gpu_count = ${place.gpuCount},
                 start_at = coalesce(${columns.startAt}, start_at),
                 started_at = coalesce(${columns.startedAt}, started_at),
                 ready_by = coalesce(${columns.readyBy}, ready_by),
                 ready_at = coalesce(${columns.readyAt}, ready_at),
                 host = coalesce(${columns.host}, host),
                 port = coalesce(${columns.port}, port),
                 drain_reason = coalesce(${columns.drainReason}, drain_reason),
                 draining_since = coalesce(${columns.drainingSince}, draining_since),
                 kill_at = ${columns.killAt},
                 end_reason = ${columns.endReason}, ended_at = ${columns.endedAt},
                 exit_code = ${columns.exitCode}, exit_signal = ${columns.exitSignal}
           where id = ${to.id} and state = ${from}`,
    ],
    firstWon,
    ['runner'],
  )
}

/** Every runner that has not ended, oldest first. */
export function liveRunners(): Read<readonly LiveRunner[]> {
  return read(sql`select * from runner where state <> 'terminated' order by created_at, id`, parseLive)
}

/** The runners of an account that ended at `since` or later, the last one first. */
export function endedRunnersSince(accountId: AccountId, since: Moment): Read<readonly Terminated[]> {
  return read(
    sql`select * from runner
         where state = 'terminated' and ended_at >= ${since} and account_id = ${accountId}
         order by ended_at desc, id desc`,
    parseTerminated,
  )
}

export function runnerById(id: RunnerId): Read<Runner | undefined> {
  return readOne(sql`select * from runner where id = ${id}`, parseRunner)
}

interface Columns {
  readonly startAt?: Moment
  readonly startedAt?: Moment
  readonly readyBy?: Moment
  readonly readyAt?: Moment
  readonly host?: string
  readonly port?: number
  readonly drainReason?: StopReason
  readonly drainingSince?: Moment
  readonly killAt?: Moment
  readonly endReason?: EndReason
  readonly endedAt?: Moment
  readonly exitCode?: number | null
  readonly exitSignal?: string | null
}

/** Where it is, as columns. */
function placeOf({ placement }: Runner) {
  if (placement === undefined) return { gpuCount: 0 }
  const { machineId, cpus, memoryBytes, gpus } = placement
  return { machineId, cpus, memoryBytes, gpus: JSON.stringify(gpus), gpuCount: gpus.length }
}

/** What a state has to say. The other columns keep what earlier states said. */
function columnsOf(runner: Runner): Columns {
  switch (runner.state) {
    case 'pending':
      return { startAt: runner.startAt }
    case 'setup':
      return { startedAt: runner.startedAt, readyBy: runner.readyBy }
    case 'serving':
      return { readyAt: runner.readyAt, ...runner.address }
    case 'draining':
      return { drainReason: runner.reason, drainingSince: runner.since, killAt: runner.killAt, ...runner.address }
    case 'terminated':
      return {
        endReason: runner.reason,
        endedAt: runner.endedAt,
        exitCode: runner.exit?.code,
        exitSignal: runner.exit?.signal,
      }
    default:
      return assertNever(runner)
  }
}

function parseLive(row: Row): LiveRunner {
  const runner = parseRunner(row)
  if (runner.state === 'terminated') throw new Error(`runner ${runner.id} ended, although a live one was read`)
  return runner
}

function parseTerminated(row: Row): Terminated {
  const runner = parseRunner(row)
  if (runner.state !== 'terminated') throw new Error(`runner ${runner.id} lives, although an ended one was read`)
  return runner
}

function parseRunner(row: Row): Runner {
  const identity = parseIdentity(row)
  const state = text(row, 'state') as Runner['state'] // the table refuses any other word
  switch (state) {
    case 'pending':
      return { ...identity, state, startAt: number(row, 'start_at') }
    case 'setup':
      return {
        ...identity,
        state,
        startedAt: optionalNumber(row, 'started_at') ?? identity.createdAt,
        readyBy: number(row, 'ready_by'),
      }
    case 'serving':
      return {
        ...identity,
        state,
        address: { host: text(row, 'host'), port: number(row, 'port') },
        readyAt: number(row, 'ready_at'),
      }
    case 'draining':
      return {
        ...identity,
        state,
        reason: text(row, 'drain_reason') as StopReason,
        since: number(row, 'draining_since'),
        ...present('address', addressOf(row)),
        ...present('killAt', optionalNumber(row, 'kill_at')),
      }
    case 'terminated':
      return {
        ...identity,
        state,
        reason: text(row, 'end_reason') as EndReason,
        endedAt: number(row, 'ended_at'),
        ...present('exit', exitOf(row)),
      }
    default:
      return assertNever(state)
  }
}

function parseIdentity(row: Row): Identity {
  return {
    id: text(row, 'id'),
    appId: text(row, 'app_id'),
    accountId: text(row, 'account_id'),
    revisionId: text(row, 'revision_id'),
    machineType: text(row, 'machine_type'),
    createdAt: number(row, 'created_at'),
    ...present('keyId', optionalText(row, 'key_id')),
    ...present('placement', placementOf(row)),
  }
}

function placementOf(row: Row): Placement | undefined {
  const machineId = optionalText(row, 'machine_id')
  if (machineId === undefined) return undefined
  return {
    machineId,
    machineType: text(row, 'machine_type'),
    cpus: number(row, 'cpus'),
    memoryBytes: number(row, 'memory_bytes'),
    gpus: json<readonly number[]>(row, 'gpus'),
  }
}

function addressOf(row: Row): Address | undefined {
  const host = optionalText(row, 'host')
  const port = optionalNumber(row, 'port')
  return host === undefined || port === undefined ? undefined : { host, port }
}

function exitOf(row: Row): Exit | undefined {
  const exit = { code: optionalNumber(row, 'exit_code') ?? null, signal: optionalText(row, 'exit_signal') ?? null }
  return exit.code === null && exit.signal === null ? undefined : exit
}
