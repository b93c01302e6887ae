import type { AccountId, KeyId, RunnerId, Seq } from '../domain/ids.ts'
import type { Quantities, RunnerSpan, UsagePart } from '../domain/usage.ts'
import type { Moment } from '../kit/clock.ts'
import type { Window } from './reports.ts'
import { number, optionalNumber, present, text } from './rows.ts'
import { done, read, sql, write } from './sql.ts'
import type { Read, Row, Statement, Write } from './store.ts'

/** Adds to the sums. */
export function addUsage(parts: readonly UsagePart[]): readonly Statement[] {
  return parts.map(
    (part) =>
      sql`insert into usage_sum (app_id, hour, revision_id, machine_type, caller_id, key_id, runner_ms, gpu_ms, requests, units)
          values (${part.appId}, ${part.hour}, ${part.revisionId}, ${part.machineType}, ${part.callerId}, ${part.keyId},
                  ${part.runnerMs}, ${part.gpuMs}, ${part.requests}, ${part.units})
              on conflict (app_id, hour, revision_id, machine_type, caller_id, key_id) do update
             set runner_ms = usage_sum.runner_ms + excluded.runner_ms, gpu_ms = usage_sum.gpu_ms + excluded.gpu_ms,
                 requests = usage_sum.requests + excluded.requests, units = usage_sum.units + excluded.units`,
  )
}

/** A runner on record, as far as usage is concerned. */
export interface CountedRunner extends RunnerSpan {
  readonly id: RunnerId
}

const columns = `id, app_id, account_id, revision_id, machine_type, gpu_count, ended_at, known_until,
                 coalesce(started_at, start_at, created_at) as started_at`

/** Those of these runners that are on record. */
export function runnersById(ids: readonly RunnerId[]): Read<readonly CountedRunner[]> {
  const places = ids.map(() => '?').join(', ') || 'null'
  return read({ text: `select ${columns} from runner where id in (${places})`, values: ids }, countedRunner)
}

/** Up to so many runners that have ended and are in no sum. */
export function endedUncounted(limit: number): Read<readonly CountedRunner[]> {
  return read(
    {
      text: `select ${columns} from runner
              where usage_counted = 0 and ended_at is not null and ready_by is not null
              order by ended_at limit ?`,
      values: [limit],
    },
    countedRunner,
  )
}

/** An account's runners that are in no sum yet: those that live, once all that ended are counted. */
export function uncountedOf(
  accountId: AccountId,
): Read<readonly (CountedRunner & Pick<UsageSum, 'app' | 'environment'>)[]> {
  return read(
    {
      text: `select lived.*, app.name as app, app.environment
               from (select ${columns} from runner
                      where account_id = ? and usage_counted = 0 and ready_by is not null) as lived
               join app on app.id = lived.app_id`,
      values: [accountId],
    },
    (row) => ({ ...countedRunner(row), app: text(row, 'app'), environment: text(row, 'environment') }),
  )
}

/** Puts runners that have ended into the sums, once: those that were there before stay as they are. */
export function countRunners(ids: readonly RunnerId[], parts: readonly UsagePart[]): Write<void> {
  return write(
    [...addUsage(parts), ...ids.map((id) => sql`update runner set usage_counted = 1 where id = ${id}`)],
    done,
  )
}

/** Whose a key is. Those of runners come and go: their calls are their account's. */
export interface KeyOwner {
  readonly id: KeyId
  readonly accountId: AccountId
  readonly isRunners: boolean
}

/** Whose these keys are, or were. */
export function ownersOfKeys(ids: readonly KeyId[]): Read<readonly KeyOwner[]> {
  const places = ids.map(() => '?').join(', ') || 'null'
  return read({ text: `select id, account_id, holder from api_key where id in (${places})`, values: ids }, (row) => ({
    id: text(row, 'id'),
    accountId: text(row, 'account_id'),
    isRunners: text(row, 'holder') === 'runner',
  }))
}

/** Adds to the sums what was kept in memory, and notes that the server is up. */
export function storeUsage(parts: readonly UsagePart[], now: Moment): Write<void> {
  return write([...addUsage(parts), sql`update usage_state set value = ${now} where name = 'up'`], done)
}

/** Whether there are runners that have not ended. */
export function areThereRunners(): Read<boolean> {
  const statement = sql`select 1 as there from runner where state <> 'terminated' limit 1`
  return { statement, result: (rows) => rows.length > 0 }
}

/**
 * For a start: former runners that are not on record as ended are known to have lived until the former server was last
 * known to be up, and no longer. `seen` is the newest moment that was found in the store.
 */
export function boundFormerRunners(seen: Moment): Write<void> {
  return write(
    [
      sql`update runner
             set known_until = (select case when value > ${seen} then value else ${seen} end
                                  from usage_state where name = 'up')
           where state <> 'terminated' and known_until is null`,
    ],
    done,
  )
}

/** An account's sums within whole hours, or what it pays for itself, of its own and of others' apps. */
export interface SumsAsked {
  readonly accountId: AccountId
  readonly view: 'owned' | 'paid'
  readonly window: Window
  /** Sums of so many milliseconds are one; absent for all together. */
  readonly bucketMs?: number | undefined
  /** What is told apart. */
  readonly by: readonly ('revision' | 'caller' | 'key')[]
}

/** A sum with the names of what it is about. `''` where that is not told apart. */
export interface UsageSum extends UsagePart {
  readonly owner: string
  readonly app: string
  readonly environment: string
}

/** An account's usage, by app and machine type at least. */
export function usageSums({ accountId, view, window, bucketMs, by }: SumsAsked): Read<readonly UsageSum[]> {
  const told = (name: (typeof by)[number], column: string) => (by.includes(name) ? column : `''`)
  const hour = bucketMs === undefined ? '0' : `usage_sum.hour - usage_sum.hour % ${Math.trunc(bucketMs)}`
  const whose = view === 'owned' ? 'app.account_id' : 'usage_sum.caller_id'
  return read(
    {
      text: `select app.id as app_id, account.nickname as owner, app.name as app, app.environment, usage_sum.machine_type,
                    ${told('revision', 'usage_sum.revision_id')} as revision_id,
                    ${told('caller', 'usage_sum.caller_id')} as caller_id, ${told('key', 'usage_sum.key_id')} as key_id,
                    ${hour} as hour, sum(usage_sum.runner_ms) as runner_ms, sum(usage_sum.gpu_ms) as gpu_ms,
                    sum(usage_sum.requests) as requests, sum(usage_sum.units) as units
               from usage_sum join app on app.id = usage_sum.app_id join account on account.id = app.account_id
              where ${whose} = ? and usage_sum.hour >= ? and usage_sum.hour < ?
              group by 1, 2, 3, 4, 5, 6, 7, 8, 9
              limit ?`,
      values: [accountId, window.from, window.to, mostSums + 1],
    },
    (row) => ({
      ...quantities(row),
      appId: text(row, 'app_id'),
      owner: text(row, 'owner'),
      app: text(row, 'app'),
      environment: text(row, 'environment'),
      revisionId: text(row, 'revision_id'),
      machineType: text(row, 'machine_type'),
      callerId: text(row, 'caller_id'),
      keyId: text(row, 'key_id'),
      hour: number(row, 'hour'),
    }),
  )
}

/** More rows than these are not read for one question. */
export const mostSums = 100_000

/** Up to where requests are in the sums. */
export function countedSeq(): Read<Seq> {
  return { statement: sql`select value from usage_state where name = 'seq'`, result: ([row]) => Number(row?.['value']) }
}

function quantities(row: Row): Quantities {
  return {
    runnerMs: number(row, 'runner_ms'),
    gpuMs: number(row, 'gpu_ms'),
    requests: number(row, 'requests'),
    units: number(row, 'units'),
  }
}

function countedRunner(row: Row): CountedRunner {
  return {
    id: text(row, 'id'),
    appId: text(row, 'app_id'),
    accountId: text(row, 'account_id'),
    revisionId: text(row, 'revision_id'),
    machineType: text(row, 'machine_type'),
    gpuCount: number(row, 'gpu_count'),
    startedAt: number(row, 'started_at'),
    ...present('endedAt', optionalNumber(row, 'ended_at')),
    ...present('knownUntil', optionalNumber(row, 'known_until')),
  }
}
