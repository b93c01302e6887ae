import type { AccountId } from '../domain/ids.ts'
import { mainEnvironment } from '../domain/names.ts'
import type { Moment } from '../kit/clock.ts'
import { number, optionalText, text } from './rows.ts'
import { firstWon, read, readOne, sql, write } from './sql.ts'
import type { Read, Row, Write } from './store.ts'

/** A part of an account with apps and secrets of its own. */
export interface Environment {
  readonly name: string
  readonly description?: string
  readonly createdAt: Moment
}

/** Makes an environment. `false` when the account has one of that name. */
export function addEnvironment(accountId: AccountId, { name, description, createdAt }: Environment): Write<boolean> {
  return write(
    [
      sql`insert into environment (account_id, name, description, created_at)
          values (${accountId}, ${name}, ${description}, ${createdAt})
              on conflict do nothing`,
    ],
    firstWon,
  )
}

/** The environments of an account. The first is `main`, as old as the account. */
export function environmentsOfAccount(accountId: AccountId): Read<readonly Environment[]> {
  return read(
    sql`select 0 as place, ${mainEnvironment} as name, cast(null as text) as description, created_at
          from account
         where id = ${accountId}
         union all
        select 1, name, description, created_at
          from environment
         where account_id = ${accountId}
         order by 1, 2`,
    parseEnvironment,
  )
}

/** Whether an account has this environment. `main` is always there. */
export function environmentExists(accountId: AccountId, name: string): Read<boolean> {
  const { statement, result } = readOne(
    sql`select name from environment where account_id = ${accountId} and name = ${name}`,
    (row) => text(row, 'name'),
  )
  return { statement, result: (rows) => name === mainEnvironment || result(rows) !== undefined }
}

/** Deletes an environment with its secrets and apps, for good. `false` when there was none. */
export function deleteEnvironment(accountId: AccountId, name: string, now: Moment): Write<boolean> {
  return write(
    [
      sql`delete from environment where account_id = ${accountId} and name = ${name}`,
      sql`delete from secret where account_id = ${accountId} and environment = ${name}`,
      sql`update app
             set deleted_at = ${now}, updated_at = ${now}, rolling_revision_id = null, rolling_scale = null,
                 rolling_auth_mode = null
           where account_id = ${accountId} and environment = ${name} and deleted_at is null`,
    ],
    firstWon,
    ['app'],
  )
}

function parseEnvironment(row: Row): Environment {
  const description = optionalText(row, 'description')
  return {
    name: text(row, 'name'),
    ...(description === undefined ? {} : { description }),
    createdAt: number(row, 'created_at'),
  }
}
