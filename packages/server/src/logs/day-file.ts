import { DatabaseSync } from 'node:sqlite'
import type { SQLInputValue, StatementSync } from 'node:sqlite'
import type { Moment } from '../kit/clock.ts'
import { Blocks, blockSchema, blocksOfOldLines } from './blocks.ts'
import type { LogLine, LogQuery } from './log-store.ts'
import { holds, isTraceback } from './matches.ts'
import type { Drop, Found, PackedLine } from './messages.ts'
import { lineOf } from './rows.ts'

const version = 2

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
  create index line_app on line (app_id, at) where app_id is not null;
  create index line_runner on line (runner_id, at) where runner_id is not null;
  create index line_request on line (request_id, at) where request_id is not null;
  ${blockSchema}
  pragma user_version = ${version};
`

const upgrade = `${blockSchema} ${blocksOfOldLines} pragma user_version = ${version};`

/** Somebody else's file, or one from a newer version. */
export class UnknownVersion extends Error {
  override readonly name = 'UnknownVersion'
}

/** The lines of one day, in a SQLite file. Synchronous: it lives in the log thread. */
export class DayFile {
  readonly #database: DatabaseSync
  readonly #insert: StatementSync
  readonly #note: StatementSync
  readonly #blocks: Blocks
  readonly #queries = new Map<string, StatementSync>()

  constructor(file: string) {
    this.#database = new DatabaseSync(file, { timeout: 5_000 })
    this.#database.exec('pragma journal_mode = wal; pragma synchronous = normal; pragma journal_size_limit = 16777216')
    const deterministic = { deterministic: true }
    this.#database.function('holds', deterministic, (text, part) => (holds(String(text), String(part)) ? 1 : 0))
    this.#database.function('is_traceback', deterministic, (text) => (isTraceback(String(text)) ? 1 : 0))
    this.#prepareSchema()
    this.#blocks = new Blocks(this.#database)
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
      this.#blocks.added(lines.length, charactersOf(lines))
      this.#database.exec('commit')
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('rollback')
      this.#blocks.forget()
      throw error
    }
  }

  /**
   * At most `limit` lines, newest first. What an index leads to is found at once; for the rest, blocks that may hold it
   * are read, and when `deadline` has passed (of `performance.now`) this stops and says so.
   */
  query(query: LogQuery, limit: number, deadline: number): Found {
    if (hasIndex(query)) return { lines: this.#rows(query, limit).map(({ line }) => line) }
    const { until = Infinity } = query
    const found = this.#rows(query, limit, notes)
    let stoppedAt: Moment | undefined
    let looked = 0
    for (const { firstId, lastId, topAt } of this.#blocks.candidates(query)) {
      if (isSettled(found, limit, topAt)) break
      const isLate = looked > 0 && topAt + 1 < until && performance.now() > deadline
      if (isLate) {
        stoppedAt = topAt + 1
        break
      }
      found.push(...this.#rows(query, limit, linesFrom(firstId, lastId)))
      looked += 1
    }
    const seen = stoppedAt === undefined ? found : found.filter(({ at }) => at >= stoppedAt)
    const newest = seen.toSorted((one, other) => other.at - one.at || other.id - one.id).slice(0, limit)
    const lines = newest.map(({ line }) => line)
    return lines.length < limit && stoppedAt !== undefined ? { lines, stoppedAt } : { lines }
  }

  #rows(query: LogQuery, limit: number, stretch: Stretch = everywhere): Row[] {
    const { where, values } = conditionsOf(query, stretch)
    const text = `select * from line ${stretch.by} ${where} order by at desc, id desc limit ?`
    const statement = this.#queries.get(text) ?? this.#database.prepare(text)
    this.#queries.set(text, statement)
    return statement
      .all(...values, limit)
      .map((row) => ({ id: Number(row['id']), at: Number(row['at']), line: lineOf(row) }))
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
    else if (found === 1) this.#database.exec(`begin; ${upgrade} commit`)
    else if (found !== version)
      throw new UnknownVersion(`it has version ${String(found)}; this server knows ${version}`)
  }
}

/** Whether one index has just what is asked for, in its order. */
function hasIndex({ appId, runnerId, requestId, revisionId, source, levels, traceback, search }: LogQuery): boolean {
  const others = [revisionId, source, levels, traceback, search]
  return (appId ?? runnerId ?? requestId) !== undefined && others.every((filter) => filter === undefined)
}

/** Whether nothing that is as old as that can be among the newest. */
function isSettled(found: readonly Row[], limit: number, topAt: Moment): boolean {
  return found.length >= limit && found.filter(({ at }) => at > topAt).length >= limit
}

function charactersOf(lines: readonly PackedLine[]): number {
  return lines.reduce((sum, [, , , message]) => sum + message.length, 0)
}

function parametersOf(drop: Drop, words: string): Record<string, SQLInputValue> {
  const { at, lines, accountId, appId, owner, reason } = drop
  return { at, lines, words, accountId, appId, by: `${reason} ${owner}` }
}

/** Some of the lines of a file, and how they are found: left to itself, SQLite reads all of them in the wanted order. */
interface Stretch {
  readonly by: string
  readonly where: string | undefined
  readonly values: readonly SQLInputValue[]
}

const everywhere: Stretch = { by: '', where: undefined, values: [] }
/** What is said about lines that were left out. It changes, so it is in no block. */
const notes: Stretch = { by: 'indexed by sqlite_autoindex_line_1', where: 'dropped_by is not null', values: [] }

function linesFrom(firstId: number, lastId: number): Stretch {
  return { by: 'not indexed', where: 'id between ? and ? and dropped_by is null', values: [firstId, lastId] }
}

function conditionsOf(query: LogQuery, stretch: Stretch): { where: string; values: SQLInputValue[] } {
  const levels = query.levels ?? []
  const conditions: (readonly [text: string | undefined, ...values: (SQLInputValue | undefined)[]])[] = [
    [stretch.where, ...stretch.values],
    ['account_id = ?', query.accountId],
    ['app_id = ?', query.appId],
    ['revision_id = ?', query.revisionId],
    ['runner_id = ?', query.runnerId],
    ['request_id = ?', query.requestId],
    ['source = ?', query.source],
    [query.levels && `level in (${levels.map(() => '?').join(', ')})`, ...levels],
    ['at >= ?', query.since],
    ['at < ?', query.until],
    [query.traceback && 'is_traceback(message)'],
    ['holds(message, ?)', query.search?.toLowerCase()],
  ]
  const used = conditions.filter(([text, ...values]) => text && values.every((value) => value !== undefined))
  const where = used.length > 0 ? `where ${used.map(([text]) => text).join(' and ')}` : ''
  return { where, values: used.flatMap(([, ...values]) => values as SQLInputValue[]) }
}

interface Row {
  readonly id: number
  readonly at: Moment
  readonly line: LogLine
}
