import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Moment } from '../kit/clock.ts'
import type { LogQuery } from './log-store.ts'
import { lineOf } from './rows.ts'
import { indexedText, matchOf } from './trigrams.ts'

/** A stretch of lines in the order in which they were written, and between which moments they lie. */
export interface Block {
  readonly firstId: number
  readonly lastId: number
  readonly minAt: Moment
  readonly maxAt: Moment
}

/**
 * `block_text` knows which blocks may hold a text. Its rows have the ids of `block`. A block that is not `indexed` may
 * hold anything.
 */
export const blockSchema = `
  create table block (
    id integer primary key,
    first_id integer not null,
    last_id integer not null,
    min_at integer not null,
    max_at integer not null,
    indexed integer not null
  ) strict;
  create virtual table block_text using fts5 (text, tokenize = 'trigram case_sensitive 1', content = '', detail = none);
`

/** Makes blocks of what a file without any holds. */
export const blocksOfOldLines = `
  insert into block (first_id, last_id, min_at, max_at, indexed)
  select min(id), max(id), min(at), max(at), 0 from line where dropped_by is null group by id / 512 order by 1;
`

const linesPerBlock = 512
const charactersPerBlock = 262_144
/** Indexing a block takes some milliseconds; a batch of huge lines makes many, and no batch waits for more than these. */
const indexedPerBatch = 4

/** The blocks of one day's file. Lines that are not yet enough for one are the file's end. */
export class Blocks {
  readonly #database: DatabaseSync
  readonly #after: StatementSync
  readonly #insert: StatementSync
  readonly #index: StatementSync
  readonly #end: StatementSync
  #lastId: number
  #lines = 0
  #characters = 0

  constructor(database: DatabaseSync) {
    this.#database = database
    const last = database.prepare('select max(last_id) as id from block').get()
    this.#lastId = Number(last?.['id'] ?? 0)
    this.#after = database.prepare('select * from line where id > ? and dropped_by is null order by id limit ?')
    this.#insert = database.prepare(
      'insert into block (first_id, last_id, min_at, max_at, indexed) values (?, ?, ?, ?, ?)',
    )
    this.#index = database.prepare('insert into block_text (rowid, text) values (?, ?)')
    this.#end = database.prepare(
      `select min(id) as first_id, max(id) as last_id, min(at) as min_at, max(at) as max_at, count(*) as lines
         from line where id > ? and dropped_by is null`,
    )
    this.#lines = Number(this.#end.get(this.#lastId)?.['lines'] ?? 0)
  }

  /** To be called, in the same transaction, after lines were added. */
  added(lines: number, characters: number): void {
    this.#lines += lines
    this.#characters += characters
    for (let made = 0; this.#lines >= linesPerBlock || this.#characters >= charactersPerBlock; made += 1) {
      if (!this.#close(made < indexedPerBatch)) break
    }
  }

  /** The transaction in which lines were added did not end well. */
  forget(): void {
    const last = this.#database.prepare('select max(last_id) as id from block').get()
    this.#lastId = Number(last?.['id'] ?? 0)
    this.#lines = Number(this.#end.get(this.#lastId)?.['lines'] ?? 0)
    this.#characters = 0
  }

  /** Those that may hold what is asked for, the file's end among them; those with newer lines first. */
  candidates(query: LogQuery): readonly Block[] {
    const match = matchOf(query)
    const text = `select first_id, last_id, min_at, max_at from block where max_at >= ? and min_at < ?
      ${match === undefined ? '' : 'and (indexed = 0 or id in (select rowid from block_text where block_text match ?))'}`
    const { since = 0, until = Number.MAX_SAFE_INTEGER } = query
    const rows = this.#database.prepare(text).all(since, until, ...(match === undefined ? [] : [match]))
    const end = this.#end.get(this.#lastId)
    const all = [...(end !== undefined && Number(end['lines']) > 0 ? [end] : []), ...rows].map(blockOf)
    return all.toSorted((one, other) => other.maxAt - one.maxAt)
  }

  /** Makes a block of the oldest lines that are in none. */
  #close(indexed: boolean): boolean {
    const rows = this.#after.all(this.#lastId, linesPerBlock)
    let characters = 0
    const fit = rows.findIndex((row) => (characters += String(row['message']).length) >= charactersPerBlock)
    const taken = fit < 0 ? rows : rows.slice(0, fit + 1)
    const [first, last] = [taken[0], taken.at(-1)]
    if (first === undefined || last === undefined) return false
    const moments = taken.map((row) => Number(row['at']))
    const bounds = [Math.min(...moments), Math.max(...moments)] as const
    const made = this.#insert.run(Number(first['id']), Number(last['id']), ...bounds, indexed ? 1 : 0)
    if (indexed) this.#index.run(made.lastInsertRowid, indexedText(taken.map(lineOf)))
    this.#lastId = Number(last['id'])
    this.#lines -= taken.length
    this.#characters = Math.max(0, this.#characters - characters)
    return true
  }
}

function blockOf(row: Record<string, unknown>): Block {
  return {
    firstId: Number(row['first_id']),
    lastId: Number(row['last_id']),
    minAt: Number(row['min_at']),
    maxAt: Number(row['max_at']),
  }
}
