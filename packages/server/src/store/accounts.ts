import type { AccountId } from '../domain/ids.ts'
import type { Moment } from '../kit/clock.ts'
import { optionalNumber } from './rows.ts'
import { done, firstWon, read, readOne, sql, write } from './sql.ts'
import type { Read, Row, Write } from './store.ts'

export interface Account {
  readonly id: AccountId
  /** The owner in `owner/app`. */
  readonly nickname: string
  readonly fullName: string
  readonly createdAt: Moment
}

/** `false` when there is one with this nickname: nothing is changed then. */
export function addAccount({ id, nickname, fullName, createdAt }: Account): Write<boolean> {
  return write(
    [
      sql`insert into account (id, nickname, full_name, created_at)
          values (${id}, ${nickname}, ${fullName}, ${createdAt})
              on conflict do nothing`,
    ],
    firstWon,
    ['account'],
  )
}

export function accountByNickname(nickname: string): Read<Account | undefined> {
  return readOne(sql`select id, nickname, full_name, created_at from account where nickname = ${nickname}`, account)
}

export function accountById(id: AccountId): Read<Account | undefined> {
  return readOne(sql`select id, nickname, full_name, created_at from account where id = ${id}`, account)
}

export function allAccounts(): Read<readonly Account[]> {
  return read(sql`select id, nickname, full_name, created_at from account order by created_at, id`, account)
}

/**
 * Makes the installation's id and its first account, both or neither. Where they were made before, nothing changes: the
 * first one stays.
 */
export function beginInstallation(id: string, first: Account): Write<void> {
  return write(
    [
      sql`insert into account (id, nickname, full_name, created_at)
          select ${first.id}, ${first.nickname}, ${first.fullName}, ${first.createdAt}
           where not exists (select 1 from installation where name = 'account')`,
      sql`insert into installation (name, value) values ('account', ${first.id}) on conflict do nothing`,
      sql`insert into installation (name, value) values ('id', ${id}) on conflict do nothing`,
    ],
    done,
    ['account'],
  )
}

/** The installation's id and its first account; undefined before the first start. */
export function begunInstallation(): Read<{ readonly id: string; readonly account: Account } | undefined> {
  return readOne(
    sql`select named.value as installation_id, account.id, account.nickname, account.full_name, account.created_at
          from installation named
          join installation first on first.name = 'account'
          join account on account.id = first.value
         where named.name = 'id'`,
    (row) => ({ id: String(row['installation_id']), account: account(row) }),
  )
}

/** How much each account may keep in `/data`, where it has a value of its own. */
export function dataQuotas(): Read<readonly { readonly id: AccountId; readonly own: number | undefined }[]> {
  return read(sql`select id, data_quota from account order by id`, (row) => ({
    id: String(row['id']),
    own: optionalNumber(row, 'data_quota'),
  }))
}

/** Gives an account a value of its own, or with nothing that of the server. `false` when there is no such account. */
export function setDataQuota(nickname: string, own: number | undefined): Write<boolean> {
  return write([sql`update account set data_quota = ${own} where nickname = ${nickname}`], firstWon, ['account'])
}

/** What an account may spend in a month. */
export interface MonthlyLimit {
  readonly id: AccountId
  readonly nickname: string
  readonly limit: number
}

/** Of the accounts that have one. */
export function monthlyLimits(): Read<readonly MonthlyLimit[]> {
  return read(
    sql`select id, nickname, monthly_limit from account where monthly_limit is not null order by id`,
    (row) => ({
      id: String(row['id']),
      nickname: String(row['nickname']),
      limit: Number(row['monthly_limit']),
    }),
  )
}

/** Says what an account may spend in a month, or with nothing that it may spend any amount. `false` when there is no such account. */
export function setMonthlyLimit(nickname: string, limit: number | undefined): Write<boolean> {
  return write([sql`update account set monthly_limit = ${limit} where nickname = ${nickname}`], firstWon, ['account'])
}

/** Gives the installation another id: it is a copy of one that may still run. */
export function renameInstallation(id: string): Write<void> {
  return write([sql`update installation set value = ${id} where name = 'id'`], done)
}

function account(row: Row): Account {
  return {
    id: String(row['id']),
    nickname: String(row['nickname']),
    fullName: String(row['full_name']),
    createdAt: Number(row['created_at']),
  }
}
