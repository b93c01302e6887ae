import type { AccountId } from '../domain/ids.ts'
import type { Moment } from '../kit/clock.ts'
import { text } from './rows.ts'
import { done, readOne, sql, write } from './sql.ts'
import type { Read, Write } from './store.ts'

/** Where a value of the key-value store is. */
export interface ValuePlace {
  readonly accountId: AccountId
  readonly store: string
  readonly name: string
}

/** The value, unless its time has come. */
export function valueAt({ accountId, store, name }: ValuePlace, now: Moment): Read<string | undefined> {
  return readOne(
    sql`select value from kv
         where account_id = ${accountId} and store = ${store} and name = ${name} and expires_at > ${now}`,
    (row) => text(row, 'value'),
  )
}

/** Keeps a value in place of the one that was there: the last one wins. */
export function putValue({ accountId, store, name }: ValuePlace, value: string, expiresAt: Moment): Write<void> {
  return write(
    [
      sql`insert into kv (account_id, store, name, value, expires_at)
          values (${accountId}, ${store}, ${name}, ${value}, ${expiresAt})
              on conflict (account_id, store, name)
              do update set value = excluded.value, expires_at = excluded.expires_at`,
    ],
    done,
  )
}

export function deleteValue({ accountId, store, name }: ValuePlace): Write<void> {
  return write([sql`delete from kv where account_id = ${accountId} and store = ${store} and name = ${name}`], done)
}

/** Takes away some of the values whose time has come, and answers how many. */
export function dropExpiredValues(now: Moment, limit: number): Write<number> {
  return write(
    [
      sql`delete from kv
           where (account_id, store, name) in
                 (select account_id, store, name from kv where expires_at <= ${now} order by expires_at limit ${limit})`,
    ],
    ([dropped]) => dropped?.changes ?? 0,
  )
}
