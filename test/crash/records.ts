import { DatabaseSync } from 'node:sqlite'
import type { Retries, StoredRow } from './history.ts'

/** What the store holds, read past the server. */
export class Records {
  readonly #database: DatabaseSync

  constructor(file: string) {
    this.#database = new DatabaseSync(file, { readOnly: true, timeout: 5_000 })
  }

  newest(): number {
    return Number(this.#database.prepare('select max(seq) as seq from request').get()?.['seq'] ?? 0)
  }

  unfinished(): number {
    return Number(this.#database.prepare(`select count(*) as n from request where state <> 'completed'`).get()?.['n'])
  }

  /** Webhooks of ended requests that have not come to their receivers. */
  undelivered(): number {
    return Number(this.#database.prepare(`select count(*) as n from webhook where state = 'due'`).get()?.['n'])
  }

  /** Every request behind that place in the order. */
  requestsAfter(seq: number): readonly StoredRow[] {
    const attempts = this.#database
      .prepare(
        `select attempt.request_id, number, attempt.runner_id, attempt.started_at
           from attempt join request on request.id = attempt.request_id where seq > ? order by number`,
      )
      .all(seq)
    const byRequest = Map.groupBy(attempts, (row) => String(row['request_id']))
    return this.#database
      .prepare(
        `select id, seq, caller_id, priority, retry, state, status, attempt,
                exists (select 1 from webhook where webhook.request_id = request.id) as has_webhook
           from request join request_body on request_body.request_id = id where seq > ? order by seq`,
      )
      .all(seq)
      .map((row) => ({
        id: String(row['id']),
        seq: Number(row['seq']),
        caller: String(row['caller_id']),
        priority: String(row['priority']),
        retries: retriesIn(String(row['retry'])),
        state: String(row['state']),
        status: row['status'] === null ? null : Number(row['status']),
        attempt: Number(row['attempt']),
        hasWebhook: row['has_webhook'] === 1,
        attempts: (byRequest.get(String(row['id'])) ?? []).map((each) => ({
          number: Number(each['number']),
          runner: String(each['runner_id']),
          startedAt: Number(each['started_at']),
        })),
      }))
  }

  liveRunners(): readonly string[] {
    const rows = this.#database.prepare(`select id from runner where state not in ('pending', 'terminated')`).all()
    return rows.map((row) => String(row['id']))
  }

  close(): void {
    this.#database.close()
  }
}

function retriesIn(text: string): Retries {
  const { forbidden, budgets } = JSON.parse(text) as { forbidden: boolean; budgets: Record<string, number> }
  if (forbidden) return 'none'
  return budgets['connection_error'] === undefined ? 'all' : 'one'
}
