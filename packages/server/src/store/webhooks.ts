import type { AccountId, AppId, RequestId } from '../domain/ids.ts'
import type { Webhook, WebhookState } from '../domain/webhook.ts'
import type { Moment } from '../kit/clock.ts'
import { number, optionalNumber, optionalText, present, text } from './rows.ts'
import { firstWon, read, readOne, sql, write } from './sql.ts'
import type { Read, Row, Statement, Write } from './store.ts'

/** A webhook and what became of it. */
export interface StoredWebhook extends Webhook {
  readonly requestId: RequestId
  readonly state: WebhookState
  readonly attempts: number
  /** Of one that is due: when the next delivery is. */
  readonly dueAt?: Moment
  readonly triedAt?: Moment
  /** What the receiver last answered with. */
  readonly status?: number
  readonly said?: string
}

/** A delivery that is to be made. */
export interface DueWebhook extends Webhook {
  readonly requestId: RequestId
  readonly host: string
  /** Deliveries that ended so far. */
  readonly attempts: number
}

export function insertWebhook(requestId: RequestId, { url, accountId }: Webhook): Statement {
  return sql`insert into webhook (request_id, account_id, url, host, state)
             values (${requestId}, ${accountId}, ${url}, ${new URL(url).host}, 'waiting')`
}

/** For the write that completes a request: its webhook, if it has one, is due from then on. */
export function webhookIsDue(requestId: RequestId, now: Moment): Statement {
  return sql`update webhook
                set state = 'due', due_at = ${now}
              where request_id = ${requestId} and state = 'waiting'
                and exists (select 1 from request where id = ${requestId} and state = 'completed')`
}

/** The same for the first `limit` waiting requests of an app, before these are completed. */
export function webhooksOfWaitingAreDue(appId: AppId, now: Moment, limit: number): Statement {
  return sql`update webhook
                set state = 'due', due_at = ${now}
              where state = 'waiting' and request_id in
                    (select id from request
                      where app_id = ${appId} and state = 'waiting' and state <> 'completed'
                      order by seq limit ${limit})`
}

/** How many hosts can be left out of what is due. */
const mostExcludedHosts = 64

/** What is due by then, longest first, but for these hosts. */
export function dueWebhooks(now: Moment, busy: readonly string[], limit: number): Read<readonly DueWebhook[]> {
  // One text for every number of hosts: statements are prepared once. No host is empty.
  const hosts = Array.from({ length: mostExcludedHosts }, (_, at) => busy[at] ?? '')
  const places = hosts.map(() => '?').join(', ')
  const statement = {
    text: `select request_id, account_id, url, host, attempts from webhook
            where state = 'due' and due_at <= ? and host not in (${places})
            order by due_at limit ?`,
    values: [now, ...hosts, limit],
  }
  return read(statement, (row) => ({
    requestId: text(row, 'request_id'),
    accountId: text(row, 'account_id'),
    url: text(row, 'url'),
    host: text(row, 'host'),
    attempts: number(row, 'attempts'),
  }))
}

/** When the next delivery is due that is not due by then; undefined when there is none. */
export function nextWebhookAt(now: Moment): Read<Moment | undefined> {
  return readOne(
    sql`select due_at from webhook where state = 'due' and due_at > ${now} order by due_at limit 1`,
    (row) => number(row, 'due_at'),
  )
}

/** How many are due, now or later. */
export function countDueWebhooks(): Read<number | undefined> {
  return readOne(sql`select count(*) as due from webhook where state = 'due'`, (row) => number(row, 'due'))
}

/** How a delivery ended, and what follows: due again at that moment, or not any more. */
export interface DeliveryRecord {
  readonly requestId: RequestId
  /** Counted from 1. */
  readonly attempt: number
  readonly state: 'due' | 'delivered' | 'failed'
  readonly dueAt?: Moment | undefined
  readonly now: Moment
  readonly status?: number | undefined
  readonly said: string
}

/** `false` when it was asked to be sent again meanwhile: then that goes before. */
export function recordDelivery(ended: DeliveryRecord): Write<boolean> {
  const { requestId, attempt, state, dueAt, now, status, said } = ended
  return write(
    [
      sql`update webhook
             set state = ${state}, attempts = ${attempt}, due_at = ${dueAt}, tried_at = ${now},
                 status = ${status}, said = ${said}
           where request_id = ${requestId} and state = 'due' and attempts = ${attempt - 1}`,
    ],
    firstWon,
  )
}

/** Makes an account's webhook due now, as if it had never been delivered. `false` while its request has no outcome. */
export function resendWebhook(accountId: AccountId, requestId: RequestId, now: Moment): Write<boolean> {
  return write(
    [
      sql`update webhook
             set state = 'due', attempts = 0, due_at = ${now}
           where request_id = ${requestId} and account_id = ${accountId} and state <> 'waiting'`,
    ],
    firstWon,
    ['webhook'],
  )
}

/** Which webhooks are meant; what is absent leaves the choice open. */
export interface WebhookFilter {
  /** The id of the last request of the page before. */
  readonly before?: RequestId | undefined
  readonly requestId?: RequestId | undefined
  readonly state?: WebhookState | undefined
  readonly limit: number
}

/** An account's webhooks, those of the newest requests first. */
export function webhooksOfAccount(
  accountId: AccountId,
  { before, requestId, state, limit }: WebhookFilter,
): Read<readonly StoredWebhook[]> {
  return read(
    sql`select request_id, account_id, url, state, attempts, due_at, tried_at, status, said
          from webhook
         where account_id = ${accountId} and request_id < ${before ?? '~'}
           and request_id = coalesce(${requestId}, request_id) and state = coalesce(${state}, state)
         order by request_id desc
         limit ${limit}`,
    storedWebhook,
  )
}

function storedWebhook(row: Row): StoredWebhook {
  return {
    requestId: text(row, 'request_id'),
    accountId: text(row, 'account_id'),
    url: text(row, 'url'),
    state: text(row, 'state') as WebhookState, // the table holds no other
    attempts: number(row, 'attempts'),
    ...present('dueAt', optionalNumber(row, 'due_at')),
    ...present('triedAt', optionalNumber(row, 'tried_at')),
    ...present('status', optionalNumber(row, 'status')),
    ...present('said', optionalText(row, 'said')),
  }
}
