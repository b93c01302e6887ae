import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { sql } from './sql.ts'
import type { Row, Statement } from './store.ts'

/** A numbered step of the schema. Its text never changes once released. */
export interface Migration {
  readonly number: number
  /** The file's name. */
  readonly name: string
  readonly text: string
  readonly hash: string
}

/** A migration that this database has had. */
export interface Applied {
  readonly number: number
  readonly name: string
  readonly hash: string
}

/** The steps that this version knows, in order. */
export function knownMigrations(folder = new URL('./migrations/', import.meta.url)): readonly Migration[] {
  return readdirSync(folder)
    .filter((name) => /^\d{4}_\w+\.sql$/.test(name))
    .toSorted()
    .map((name) => migration(name, readFileSync(new URL(name, folder), 'utf8')))
}

export function migration(name: string, text: string): Migration {
  return { number: Number(name.slice(0, 4)), name, text, hash: createHash('sha256').update(text).digest('hex') }
}

/**
 * What is left to do. Throws when the database is not ours to touch: it was written by a newer version, or a step it
 * has had reads differently today.
 */
export function pendingMigrations(known: readonly Migration[], applied: readonly Applied[]): readonly Migration[] {
  const byNumber = new Map(known.map((step) => [step.number, step]))
  for (const { number, name, hash } of applied) {
    const ours = byNumber.get(number)
    if (!ours)
      throw new Error(`the data was written by a newer version of Carrick (it has ${name}); start that version`)
    if (ours.hash !== hash)
      throw new Error(`${ours.name} has changed since this data was made with it; restore its text`)
  }
  const newest = Math.max(0, ...applied.map(({ number }) => number))
  const done = new Set(applied.map(({ number }) => number))
  const skipped = known.find(({ number }) => number < newest && !done.has(number))
  if (skipped) throw new Error(`${skipped.name} comes too late: this data is at step ${newest} already`)
  return known.filter(({ number }) => number > newest)
}

/** Where a database keeps count. */
export const migrationTable =
  'create table if not exists migration (number bigint primary key, name text not null, hash text not null)'

export const appliedMigrations: Statement = sql`select number, name, hash from migration order by number`

export function appliedMigration(row: Row): Applied {
  return { number: Number(row['number']), name: String(row['name']), hash: String(row['hash']) }
}

export function recordMigration({ number, name, hash }: Migration): Statement {
  return sql`insert into migration (number, name, hash) values (${number}, ${name}, ${hash})`
}
