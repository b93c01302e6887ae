import { DatabaseSync } from 'node:sqlite'
import type { SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite'
import type { LogLevel, LogLine, LogQuery, LogSource } from './log-store.ts'
import type { Drop, PackedLine } from './messages.ts'

const version = 1

// One row per owner and reason tells of the lines that were left out: `dropped_by` is set in these rows alone.
const schema = `
  create table line (
    id integer primary key,
    at integer not null,
    source text not null,
    level text not null,
    message text not null,
    account_id text not null,
    app_id text,
    revision_id text,
    runner_id text,
    request_id text,
    dropped_by text unique,
    dropped integer
  ) strict;
  create index line_at on line (at);
  create index line_app on line (app_id, at) where app_id is not null;
  create index line_runner on line (runner_id, at) where runner_id is not null;
  create index line_request on line (request_id, at) where request_id is not null;
  pragma user_version = ${version};
`

/** Somebody else's file, or one from a newer version. */
export class UnknownVersion extends Error {
  override readonly name = 'UnknownVersion'
}

/** The lines of one day, in a SQLite file. Synchronous: it lives in the log thread. */
export class DayFile {
  readonly #database: DatabaseSync
  readonly #insert: StatementSync
  readonly #note: StatementSync
  readonly #queries = new Map<string, StatementSync>()

  constructor(file: string) {
    this.#database = new DatabaseSync(file, { timeout: 5_000 })
    this.#database.exec('pragma journal_mode = wal; pragma synchronous = normal; pragma journal_size_limit = 16777216')
    this.#database.function('holds', { deterministic: true }, holds)
    this.#prepareSchema()
    this.#insert = this.#database.prepare(
      `insert into line (at, source, level, message, account_id, app_id, revision_id, runner_id, request_id)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    this.#note = this.#database.prepare(
      `insert into line (at, source, level, message, account_id, app_id, dropped_by, dropped)
       values (:at, 'bridge', 'warning', cast(:lines as integer) || :words, :accountId, :appId, :by, :lines)
           on conflict (dropped_by) do update
          set at = excluded.at, dropped = dropped + excluded.dropped,
              message = (dropped + excluded.dropped) || :words`,
    )
  }

  /** Adds lines, and what is said about lines that were left out: all of it or nothing. */
  append(lines: readonly PackedLine[], drops: readonly Drop[], wordsFor: (drop: Drop) => string): void {
    this.#database.exec('begin immediate')
    try {
      for (const line of lines) this.#insert.run(...line)
      for (const drop of drops) this.#note.run(parametersOf(drop, wordsFor(drop)))
      this.#database.exec('commit')
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('rollback')
      throw error
    }
  }

  /** Newest first. */
  query(query: LogQuery, limit: number): LogLine[] {
    const { where, values } = conditionsOf(query)
    const text = `select * from line ${where} order by at desc, id desc limit ?`
    const statement = this.#queries.get(text) ?? this.#database.prepare(text)
    this.#queries.set(text, statement)
    return statement.all(...values, limit).map(lineOf)
  }

  /** How many lines each owner has here. */
  counts(): (readonly [owner: string, lines: number])[] {
    return this.#database
      .prepare(
        'select coalesce(app_id, account_id) as owner, count(*) as lines from line where dropped_by is null group by 1',
      )
      .all()
      .map((row) => [String(row['owner']), Number(row['lines'])] as const)
  }

  close(): void {
    this.#database.close()
  }

  #prepareSchema(): void {
    const found = this.#database.prepare('pragma user_version').get()?.['user_version']
    if (found === 0) this.#database.exec(`begin; ${schema} commit`)
    else if (found !== version)
      throw new UnknownVersion(`it has version ${String(found)}; this server knows ${version}`)
  }
}

/** `like` would fold the case of ASCII letters only. */
function holds(message: SQLOutputValue, part: SQLOutputValue): number {
  return String(message).toLowerCase().includes(String(part)) ? 1 : 0
}

function parametersOf(drop: Drop, words: string): Record<string, SQLInputValue> {
  const { at, lines, accountId, appId, owner, reason } = drop
  return { at, lines, words, accountId, appId, by: `${reason} ${owner}` }
}

function conditionsOf(query: LogQuery): { where: string; values: SQLInputValue[] } {
  const conditions: (readonly [text: string, value: SQLInputValue | undefined])[] = [
    ['account_id = ?', query.accountId],
    ['app_id = ?', query.appId],
    ['runner_id = ?', query.runnerId],
    ['request_id = ?', query.requestId],
    ['at >= ?', query.since],
    ['at < ?', query.until],
    ['holds(message, ?)', query.search?.toLowerCase()],
  ]
  const used = conditions.flatMap(([text, value]) => (value === undefined ? [] : [{ text, value }]))
  const where = used.length > 0 ? `where ${used.map(({ text }) => text).join(' and ')}` : ''
  return { where, values: used.map(({ value }) => value) }
}

/** This file's own rows: what it wrote is what the types say. */
function lineOf(row: Record<string, SQLOutputValue>): LogLine {
  const optional = (name: string, column: string) => (row[column] === null ? {} : { [name]: String(row[column]) })
  return {
    at: Number(row['at']),
    source: String(row['source']) as LogSource,
    level: String(row['level']) as LogLevel,
    message: String(row['message']),
    accountId: String(row['account_id']),
    ...optional('appId', 'app_id'),
    ...optional('revisionId', 'revision_id'),
    ...optional('runnerId', 'runner_id'),
    ...optional('requestId', 'request_id'),
  }
}
