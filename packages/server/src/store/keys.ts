import type { AccountId, KeyId } from '../domain/ids.ts'
import { isPermission, type Permission } from '../domain/permissions.ts'
import type { Moment } from '../kit/clock.ts'
import { firstWon, read, readOne, sql, write } from './sql.ts'
import type { Read, Row, Write } from './store.ts'

export interface NewKey {
  readonly id: KeyId
  readonly accountId: AccountId
  /** SHA-256 of the secret. */
  readonly secretHash: Uint8Array
  readonly permissions: readonly Permission[]
  readonly alias: string
  readonly createdAt: Moment
}

/** A key that is good for calls, with the owner it belongs to. */
export interface LiveKey extends Omit<NewKey, 'alias' | 'createdAt'> {
  readonly nickname: string
}

/** Adds a key. `false` when there is one with this id, revoked ones included: nothing is changed then. */
export function addKey({ id, accountId, secretHash, permissions, alias, createdAt }: NewKey): Write<boolean> {
  return write(
    [
      sql`insert into api_key (id, account_id, secret_hash, permissions, alias, created_at)
          values (${id}, ${accountId}, ${secretHash}, ${permissions}, ${alias}, ${createdAt})
              on conflict do nothing`,
    ],
    firstWon,
    ['key'],
  )
}

/** `false` when it was revoked before, or never was. */
export function revokeKey(id: KeyId, now: Moment): Write<boolean> {
  return write([sql`update api_key set revoked_at = ${now} where id = ${id} and revoked_at is null`], firstWon, ['key'])
}

/** All keys that are not revoked. */
export function liveKeys(): Read<readonly LiveKey[]> {
  return read(
    sql`select api_key.id, api_key.account_id, api_key.secret_hash, api_key.permissions, account.nickname
          from api_key
          join account on account.id = api_key.account_id
         where api_key.revoked_at is null`,
    liveKey,
  )
}

export function liveKeyById(id: KeyId): Read<LiveKey | undefined> {
  return readOne(
    sql`select api_key.id, api_key.account_id, api_key.secret_hash, api_key.permissions, account.nickname
          from api_key
          join account on account.id = api_key.account_id
         where api_key.id = ${id} and api_key.revoked_at is null`,
    liveKey,
  )
}

function liveKey(row: Row): LiveKey {
  return {
    id: String(row['id']),
    accountId: String(row['account_id']),
    secretHash: bytes(row['secret_hash']),
    permissions: permissionsIn(String(row['permissions'])),
    nickname: String(row['nickname']),
  }
}

/** Names that this version does not know grant nothing. */
function permissionsIn(json: string): readonly Permission[] {
  const names: unknown = JSON.parse(json)
  return Array.isArray(names) ? names.filter(isPermission) : []
}

function bytes(value: Row[string] | undefined): Uint8Array {
  if (value instanceof Uint8Array) return value
  throw new TypeError('a stored hash is not bytes')
}
