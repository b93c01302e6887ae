import type { AccountId, KeyId } from '../domain/ids.ts'
import { isGranted, type Granted } from '../domain/permissions.ts'
import type { Moment } from '../kit/clock.ts'
import { firstWon, read, readOne, sql, write } from './sql.ts'
import type { Read, Row, Write } from './store.ts'

export interface NewKey {
  readonly id: KeyId
  readonly accountId: AccountId
  /** SHA-256 of the secret. */
  readonly secretHash: Uint8Array
  readonly permissions: readonly Granted[]
  readonly alias: string
  readonly createdAt: Moment
  readonly holder: KeyHolder
}

/** Whom a key was made for. Those of runners come and go with them, and are nobody's to see or revoke. */
export type KeyHolder = 'person' | 'runner'

/** A key that is good for calls, with the owner it belongs to. */
export interface LiveKey extends Omit<NewKey, 'createdAt' | 'holder'> {
  readonly nickname: string
  /** Whether the account is the first one. */
  readonly operator: boolean
}

/** A key as its account sees it. */
export type ListedKey = Pick<NewKey, 'id' | 'permissions' | 'alias' | 'createdAt'>

/**
 * Adds a key. Those of runners come and go so often that nobody who listens for keys is told: the keyring is, by whom it
 * is stored. `false` when there is one with this id, revoked ones included, or no such account: nothing is changed
 * then.
 */
export function addKey({ id, accountId, secretHash, permissions, alias, createdAt, holder }: NewKey): Write<boolean> {
  return write(
    [
      sql`insert into api_key (id, account_id, secret_hash, permissions, alias, created_at, holder)
          select ${id}, ${accountId}, ${secretHash}, ${permissions}, ${alias}, ${createdAt}, ${holder}
           where exists (select 1 from account where id = ${accountId})
              on conflict do nothing`,
    ],
    firstWon,
    holder === 'runner' ? [] : ['key'],
  )
}

/** Revokes a runner's key. Nobody who listens for keys is told, as with its coming. */
export function revokeRunnerKey(id: KeyId, now: Moment): Write<boolean> {
  return write([sql`update api_key set revoked_at = ${now} where id = ${id} and revoked_at is null`], firstWon)
}

/** `false` when it was revoked before, or never was. */
export function revokeKey(id: KeyId, now: Moment): Write<boolean> {
  return write([sql`update api_key set revoked_at = ${now} where id = ${id} and revoked_at is null`], firstWon, ['key'])
}

/** Revokes a key that an account made. `false` when it has no such key; one that is revoked stays revoked. */
export function revokeOwnKey(accountId: AccountId, id: KeyId, now: Moment): Write<boolean> {
  return write(
    [
      sql`update api_key set revoked_at = coalesce(revoked_at, ${now})
           where id = ${id} and account_id = ${accountId} and holder = 'person'`,
    ],
    firstWon,
    ['key'],
  )
}

/** The keys that an account made and did not revoke, oldest first. */
export function keysOfAccount(accountId: AccountId): Read<readonly ListedKey[]> {
  return read(
    sql`select id, permissions, alias, created_at
          from api_key
         where account_id = ${accountId} and revoked_at is null and holder = 'person'
         order by created_at, id`,
    (row) => ({
      id: String(row['id']),
      permissions: grantedIn(String(row['permissions'])),
      alias: String(row['alias']),
      createdAt: Number(row['created_at']),
    }),
  )
}

/** All keys that are not revoked. */
export function liveKeys(): Read<readonly LiveKey[]> {
  return read(
    sql`select api_key.id, api_key.account_id, api_key.secret_hash, api_key.permissions, api_key.alias,
               account.nickname, first.value as first_account
          from api_key
          join account on account.id = api_key.account_id
          left join installation first on first.name = 'account'
         where api_key.revoked_at is null`,
    liveKey,
  )
}

export function liveKeyById(id: KeyId): Read<LiveKey | undefined> {
  return readOne(
    sql`select api_key.id, api_key.account_id, api_key.secret_hash, api_key.permissions, api_key.alias,
               account.nickname, first.value as first_account
          from api_key
          join account on account.id = api_key.account_id
          left join installation first on first.name = 'account'
         where api_key.id = ${id} and api_key.revoked_at is null`,
    liveKey,
  )
}

function liveKey(row: Row): LiveKey {
  return {
    id: String(row['id']),
    accountId: String(row['account_id']),
    secretHash: bytes(row['secret_hash']),
    permissions: grantedIn(String(row['permissions'])),
    alias: String(row['alias']),
    nickname: String(row['nickname']),
    operator: row['first_account'] === row['account_id'],
  }
}

/** Names that this version does not know grant nothing. */
function grantedIn(json: string): readonly Granted[] {
  const names: unknown = JSON.parse(json)
  return Array.isArray(names) ? names.filter(isGranted) : []
}

function bytes(value: Row[string] | undefined): Uint8Array {
  if (value instanceof Uint8Array) return value
  throw new TypeError('a stored hash is not bytes')
}
