import type { AccountId, KeyId } from '../domain/ids.ts'
import type { Moment } from '../kit/clock.ts'
import { json, number, text } from './rows.ts'
import { done, read, sql, write } from './sql.ts'
import type { Read, Write } from './store.ts'

/** A change that somebody asked for: who, from which key, when, what, and how it ended. */
export interface ChangeEvent {
  readonly id: string
  readonly accountId: AccountId
  readonly keyId: KeyId
  readonly at: Moment
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
}: Omit<ChangeEvent, 'outcome' | 'detail'> & Readonly<Record<string, unknown>>): Write<void> {
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
    subject,
    ...detail
  }: { readonly outcome: 'done' | 'failed'; readonly subject?: string; readonly [detail: string]: unknown },
): Write<void> {
  return write(
    [
      sql`update event
             set outcome = ${outcome}, subject = coalesce(${subject}, subject), detail = ${detail}
           where id = ${id} and outcome = 'begun'`,
    ],
    done,
  )
}

/** An account's changes, newest first; those before an id when one is given. */
export function eventsOfAccount(
  accountId: AccountId,
  { before, limit }: { readonly before?: string | undefined; readonly limit: number },
): Read<readonly ChangeEvent[]> {
  return read(
    sql`select id, account_id, key_id, at, action, subject, outcome, detail
          from event
         where account_id = ${accountId} and id < ${before ?? '~'}
         order by id desc
         limit ${limit}`,
    (row) => ({
      id: text(row, 'id'),
      accountId: text(row, 'account_id'),
      keyId: text(row, 'key_id'),
      at: number(row, 'at'),
      action: text(row, 'action'),
      subject: text(row, 'subject'),
      outcome: text(row, 'outcome') as ChangeEvent['outcome'], // the table holds no other
      detail: json<ChangeEvent['detail']>(row, 'detail'),
    }),
  )
}
