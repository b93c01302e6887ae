import type { AccountId, EnvironmentId } from '../domain/ids.ts'
import type { Moment } from '../kit/clock.ts'
import { number } from './rows.ts'
import { done, readOne, sql, write } from './sql.ts'
import type { Read, Write } from './store.ts'

/**
 * Takes the next turn to change the revision of one of an account's apps. What began later wins, whichever is ready
 * first: a write with an earlier turn than the app has seen changes nothing.
 */
export function takeTurn(accountId: AccountId): Write<number> {
  return write(
    [sql`update account set deploy_turn = deploy_turn + 1 where id = ${accountId} returning deploy_turn`],
    ([taken]) => Number(taken?.rows[0]?.['deploy_turn'] ?? 0),
  )
}

/** What a deploy was built for before it is registered. */
export interface BegunDeploy {
  readonly accountId: AccountId
  /** The whole name of the app. */
  readonly name: string
  readonly environmentId: EnvironmentId
}

const forgottenAfterMs = 24 * 60 * 60_000

/** Notes with which turn a deploy has begun whose environment is ready now. Those of yesterday are forgotten. */
export function noteBegun({ accountId, name, environmentId }: BegunDeploy, turn: number, now: Moment): Write<void> {
  return write(
    [
      sql`delete from begun_deploy where account_id = ${accountId} and begun_at < ${now - forgottenAfterMs}`,
      sql`insert into begun_deploy (account_id, app_name, environment_id, turn, begun_at)
          values (${accountId}, ${name}, ${environmentId}, ${turn}, ${now})
              on conflict (account_id, app_name, environment_id)
              do update set turn = excluded.turn, begun_at = excluded.begun_at
                      where begun_deploy.turn < excluded.turn`,
    ],
    done,
  )
}

/** The turn with which the newest deploy of this environment has begun. */
export function begunTurn({ accountId, name, environmentId }: BegunDeploy): Read<number | undefined> {
  return readOne(
    sql`select turn from begun_deploy
         where account_id = ${accountId} and app_name = ${name} and environment_id = ${environmentId}`,
    (row) => number(row, 'turn'),
  )
}

/** The turn of the last change that reached an app, by its whole name; undefined where there is no such app. */
export function lastTurn(accountId: AccountId, name: string): Read<number | undefined> {
  return readOne(
    sql`select turn from app where account_id = ${accountId} and name = ${name} and deleted_at is null`,
    (row) => number(row, 'turn'),
  )
}
