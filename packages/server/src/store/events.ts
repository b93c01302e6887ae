import type { AccountId, KeyId } from '../domain/ids.ts'
import type { Moment } from '../kit/clock.ts'
import { json, number, optionalNumber, present, text } from './rows.ts'
import { done, read, sql, write } from './sql.ts'
import type { Read, Row, Write } from './store.ts'

/** A change that somebody asked for: who, from which key, when, what, and how it ended. */
export interface ChangeEvent {
  readonly id: string
  readonly accountId: AccountId
  readonly keyId: KeyId
  readonly at: Moment
  /** Absent while it is not known how it ended. */
  readonly endedAt?: Moment
  /** A verb: `deploy`, `create_key`. */
  readonly action: string
  /** What it was done to, by a name that a person knows. */
  readonly subject: string
  /** `begun` is what a crash leaves of one whose end is not known. */
  readonly outcome: 'begun' | 'done' | 'failed'
  readonly detail: Readonly<Record<string, unknown>>
}

/** Notes a change before it is made. Every other field is a detail. */
export function beginEvent({
  id,
  accountId,
  keyId,
  at,
  action,
  subject,
  ...detail
}: Omit<ChangeEvent, 'outcome' | 'detail' | 'endedAt'> & Readonly<Record<string, unknown>>): Write<void> {
  return write(
    [
      sql`insert into event (id, account_id, key_id, at, action, subject, outcome, detail)
          values (${id}, ${accountId}, ${keyId}, ${at}, ${action}, ${subject}, 'begun', ${detail})`,
    ],
    done,
  )
}

/** Notes how it ended; a subject takes the place of the one known before. */
export function endEvent(
  id: string,
  {
    outcome,
    at,
    subject,
    ...detail
  }: {
    readonly outcome: 'done' | 'failed'
    readonly at: Moment
    readonly subject?: string
    readonly [detail: string]: unknown
  },
): Write<void> {
  return write(
    [
      sql`update event
             set outcome = ${outcome}, ended_at = ${at}, subject = coalesce(${subject}, subject), detail = ${detail}
           where id = ${id} and outcome = 'begun'`,
    ],
    done,
  )
}

/** Which changes are meant; what is absent leaves the choice open. */
export interface EventFilter {
  /** The id of the last one of the page before. */
  readonly before?: string | undefined
  /** Inclusive. */
  readonly since?: Moment | undefined
  /** Exclusive. */
  readonly until?: Moment | undefined
  readonly action?: string | undefined
  readonly subject?: string | undefined
  readonly limit: number
}

/** An account's changes, newest first. */
export function eventsOfAccount(
  accountId: AccountId,
  { before, since, until, action, subject, limit }: EventFilter,
): Read<readonly ChangeEvent[]> {
  return read(
    sql`select id, account_id, key_id, at, ended_at, action, subject, outcome, detail
          from event
         where account_id = ${accountId} and id < ${before ?? '~'}
           and at >= ${since ?? 0} and at < ${until ?? Number.MAX_SAFE_INTEGER}
           and action = coalesce(${action}, action) and subject = coalesce(${subject}, subject)
         order by id desc
         limit ${limit}`,
    changeEvent,
  )
}

/** What was done to one thing of an account within the window, newest first. */
export function changesOf(
  accountId: AccountId,
  subject: string,
  { from, to }: { readonly from: Moment; readonly to: Moment },
  limit: number,
): Read<readonly ChangeEvent[]> {
  return read(
    sql`select id, account_id, key_id, at, ended_at, action, subject, outcome, detail
          from event
         where account_id = ${accountId} and subject = ${subject} and at < ${to} and coalesce(ended_at, at) >= ${from}
         order by id desc
         limit ${limit}`,
    changeEvent,
  )
}

/** An app's deploys, newest first. */
export function deploymentsOf(accountId: AccountId, app: string, limit: number): Read<readonly ChangeEvent[]> {
  return read(
    sql`select id, account_id, key_id, at, ended_at, action, subject, outcome, detail
          from event
         where account_id = ${accountId} and subject = ${app} and action = 'deploy'
         order by id desc
         limit ${limit}`,
    changeEvent,
  )
}

/** Forgets up to `limit` changes that were made before then, the oldest first, and tells how many. */
export function forgetEvents(before: Moment, limit: number): Write<number> {
  return write(
    [
      sql`delete from event
           where id in (select id from (select id, at from event order by id limit ${limit}) as oldest
                         where at < ${before})`,
    ],
    ([forgotten]) => forgotten?.changes ?? 0,
  )
}

function changeEvent(row: Row): ChangeEvent {
  return {
    id: text(row, 'id'),
    accountId: text(row, 'account_id'),
    keyId: text(row, 'key_id'),
    at: number(row, 'at'),
    ...present('endedAt', optionalNumber(row, 'ended_at')),
    action: text(row, 'action'),
    subject: text(row, 'subject'),
    outcome: text(row, 'outcome') as ChangeEvent['outcome'], // the table holds no other
    detail: json<ChangeEvent['detail']>(row, 'detail'),
  }
}
