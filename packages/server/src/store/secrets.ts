import type { SecretScope } from '../domain/secret.ts'
import { mainEnvironment } from '../domain/names.ts'
import type { Moment } from '../kit/clock.ts'
import { bytes, number, text } from './rows.ts'
import { done, firstWon, read, readOne, sql, write } from './sql.ts'
import type { Read, Row, Write } from './store.ts'

/** A secret as it is kept: what it is called, and its value encrypted. */
export interface StoredSecret extends SecretScope {
  readonly name: string
  readonly sealed: Uint8Array
  /** Whether apps without a list of their own see it. */
  readonly defaultExposed: boolean
  readonly createdAt: Moment
}

/**
 * Keeps a secret, in place of one of the same name. Without a flag it keeps the one it had; a new one is exposed.
 * `false` when its environment is gone.
 */
export function putSecret(
  secret: Omit<StoredSecret, 'defaultExposed'> & { readonly defaultExposed?: boolean | undefined },
): Write<boolean> {
  const { accountId, environment, name, sealed, defaultExposed, createdAt } = secret
  return write(
    [
      sql`insert into secret (account_id, environment, name, value, default_exposed, created_at)
          select id, ${environment}, ${name}, ${sealed}, ${defaultExposed ?? true}, ${createdAt}
            from account
           where id = ${accountId}
             and (${environment} = ${mainEnvironment}
                  or exists (select 1 from environment where account_id = ${accountId} and name = ${environment}))
              on conflict (account_id, environment, name)
              do update set value = excluded.value,
                            default_exposed = coalesce(${defaultExposed}, secret.default_exposed)`,
    ],
    firstWon,
  )
}

/** Forgets a secret. `false` when there was none of that name. */
export function deleteSecret({ accountId, environment }: SecretScope, name: string): Write<boolean> {
  return write(
    [
      sql`delete from secret
           where account_id = ${accountId} and environment = ${environment} and name = ${name}`,
    ],
    firstWon,
  )
}

/** The secrets of one environment, by name. */
export function secretsOf({ accountId, environment }: SecretScope): Read<readonly StoredSecret[]> {
  return read(
    sql`select * from secret where account_id = ${accountId} and environment = ${environment} order by name`,
    parseSecret,
  )
}

/** Every secret of the installation. */
export function allSecrets(): Read<readonly StoredSecret[]> {
  return read(sql`select * from secret order by account_id, environment, name`, parseSecret)
}

/** Which encryption key the stored secrets are under; undefined before there was one. */
export function encryptionKeyMark(): Read<string | undefined> {
  return readOne(sql`select value from installation where name = 'encryption_key'`, (row) => text(row, 'value'))
}

/** Replaces the encrypted values, and the mark of the key that they are under, all at once. */
export function resealSecrets(secrets: readonly StoredSecret[], mark: string): Write<void> {
  return write(
    [
      ...secrets.map(
        ({ accountId, environment, name, sealed }) =>
          sql`update secret set value = ${sealed}
               where account_id = ${accountId} and environment = ${environment} and name = ${name}`,
      ),
      sql`insert into installation (name, value) values ('encryption_key', ${mark})
              on conflict (name) do update set value = excluded.value`,
    ],
    done,
  )
}

function parseSecret(row: Row): StoredSecret {
  return {
    accountId: text(row, 'account_id'),
    environment: text(row, 'environment'),
    name: text(row, 'name'),
    sealed: bytes(row, 'value'),
    defaultExposed: number(row, 'default_exposed') === 1,
    createdAt: number(row, 'created_at'),
  }
}
