import { text } from './rows.ts'
import { done, readOne, sql, write } from './sql.ts'
import type { Read, Write } from './store.ts'

/** The key that webhooks are signed with, encrypted; undefined before the first use. */
export function sealedSigningKey(): Read<Uint8Array | undefined> {
  return readOne(sql`select value from installation where name = 'signing_key'`, (row) =>
    Buffer.from(text(row, 'value'), 'base64'),
  )
}

/** Keeps it unless there is one: the first one stays. */
export function addSigningKey(sealed: Uint8Array): Write<void> {
  return write(
    [
      sql`insert into installation (name, value) values ('signing_key', ${base64(sealed)})
              on conflict (name) do nothing`,
    ],
    done,
  )
}

/** The same key, encrypted in another way. */
export function resealSigningKey(sealed: Uint8Array): Write<void> {
  return write([sql`update installation set value = ${base64(sealed)} where name = 'signing_key'`], done)
}

const base64 = (sealed: Uint8Array): string => Buffer.from(sealed).toString('base64')
