import type { DatabaseSync } from 'node:sqlite'
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
  /** No line of this block, and none that was written before it, is newer. */
  readonly topAt: Moment
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
    top_at integer not null,
    indexed integer not null
  ) strict;
  create virtual table block_text using fts5 (text, tokenize = 'trigram case_sensitive 1', content = '', detail = none);
`

/** Makes blocks of what a file without any holds. */
export const blocksOfOldLines = `
  insert into block (first_id, last_id, min_at, max_at, top_at, indexed)
  select min(id), max(id), min(at), max(at), max(max(at)) over (order by min(id)), 0
    from line where dropped_by is null group by id / 512 order by 1;
`

const linesPerBlock = 512
const charactersPerBlock = 262_144
/** Indexing a block takes some milliseconds; a batch of huge lines makes many, and no batch waits for more than these. */
const indexedPerBatch = 4

/** The blocks of one day's file. Lines that are not yet enough for one are the file's end. */
export class Blocks {
  readonly #sql: ReturnType<typeof statementsOf>
  #lastId = 0
  #topAt = 0
  #lines = 0
  #characters = 0

  constructor(database: DatabaseSync) {
    this.#sql = statementsOf(database)
    this.forget()
  }

  /** To be called, in the same transaction, after lines were added. */
  added(lines: number, characters: number): void {
    this.#lines += lines
    this.#characters += characters
    for (let made = 0; this.#lines >= linesPerBlock || this.#characters >= charactersPerBlock; made += 1) {
      if (!this.#close(made < indexedPerBatch)) break
    }
  }

  /** Looks again where the blocks end: at first, and when the transaction in which lines were added did not end well. */
  forget(): void {
    const last = this.#sql.last.get()
    this.#lastId = Number(last?.['last_id'] ?? 0)
    this.#topAt = Number(last?.['top_at'] ?? 0)
    this.#lines = Number(this.#sql.end.get(this.#lastId)?.['lines'] ?? 0)
    this.#characters = 0
  }

  /** Those that may hold what is asked for, the file's end among them; what was written last comes first. */
  *candidates(query: LogQuery): Generator<Block> {
    const { since = 0, until = Number.MAX_SAFE_INTEGER } = query
    const isWithin = ({ minAt, maxAt }: Block) => maxAt >= since && minAt < until
    const end = this.#fileEnd()
    if (end !== undefined && isWithin(end)) yield end
    const range = this.#sql.range.get(since, until)
    if (range === undefined || range['first'] === null) return
    for (const id of this.#ids(matchOf(query), Number(range['first']), Number(range['last']))) {
      const row = this.#sql.block.get(id)
      const block = row && blockOf(row)
      if (block !== undefined && isWithin(block)) yield block
    }
  }

  /** Found one by one, so that a common word costs no more than a rare one. */
  *#ids(match: string | undefined, first: number, last: number): Generator<number> {
    if (match === undefined) {
      for (let id = last; id >= first; id -= 1) yield id
      return
    }
    const unindexed = this.#sql.unindexed.all(first, last).map(({ id }) => Number(id))
    let next = unindexed.shift()
    for (const { id } of this.#sql.matching.iterate(match, first, last)) {
      for (; next !== undefined && next > Number(id); next = unindexed.shift()) yield next
      yield Number(id)
    }
    for (; next !== undefined; next = unindexed.shift()) yield next
  }

  #fileEnd(): Block | undefined {
    const row = this.#sql.end.get(this.#lastId)
    if (row === undefined || Number(row['lines']) === 0) return undefined
    return blockOf({ ...row, top_at: Math.max(Number(row['max_at']), this.#topAt) })
  }

  /** Makes a block of the oldest lines that are in none. */
  #close(indexed: boolean): boolean {
    const rows = this.#sql.after.all(this.#lastId, linesPerBlock)
    let characters = 0
    const fit = rows.findIndex((row) => (characters += String(row['message']).length) >= charactersPerBlock)
    const taken = fit < 0 ? rows : rows.slice(0, fit + 1)
    const [first, last] = [taken[0], taken.at(-1)]
    if (first === undefined || last === undefined) return false
    const moments = taken.map((row) => Number(row['at']))
    const [minAt, maxAt] = [Math.min(...moments), Math.max(...moments)]
    this.#topAt = Math.max(this.#topAt, maxAt)
    const ids = [Number(first['id']), Number(last['id'])] as const
    const made = this.#sql.insert.run(...ids, minAt, maxAt, this.#topAt, indexed ? 1 : 0)
    if (indexed) this.#sql.index.run(made.lastInsertRowid, indexedText(taken.map(lineOf)))
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
    topAt: Number(row['top_at']),
  }
}

function statementsOf(database: DatabaseSync) {
  return {
    last: database.prepare('select last_id, top_at from block order by id desc limit 1'),
    after: database.prepare('select * from line where id > ? and dropped_by is null order by id limit ?'),
    end: database.prepare(
      `select min(id) as first_id, max(id) as last_id, min(at) as min_at, max(at) as max_at, count(*) as lines
         from line where id > ? and dropped_by is null`,
    ),
    insert: database.prepare(
      'insert into block (first_id, last_id, min_at, max_at, top_at, indexed) values (?, ?, ?, ?, ?, ?)',
    ),
    index: database.prepare('insert into block_text (rowid, text) values (?, ?)'),
    range: database.prepare('select min(id) as first, max(id) as last from block where max_at >= ? and min_at < ?'),
    block: database.prepare('select * from block where id = ?'),
    matching: database.prepare(
      'select rowid as id from block_text where block_text match ? and rowid between ? and ? order by rowid desc',
    ),
    unindexed: database.prepare('select id from block where indexed = 0 and id between ? and ? order by id desc'),
  }
}
