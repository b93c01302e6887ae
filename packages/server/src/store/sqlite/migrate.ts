import type { DatabaseSync } from 'node:sqlite'
import {
  appliedMigration,
  appliedMigrations,
  migrationTable,
  pendingMigrations,
  recordMigration,
  type Applied,
  type Migration,
} from '../migrations.ts'
import type { Statement } from '../store.ts'
import { unpackRows } from './packed.ts'
import type { Statements } from './statements.ts'

/** Brings the schema up to date, each step in a transaction of its own. Refuses before it changes anything. */
export function migrate(database: DatabaseSync, statements: Statements, known: readonly Migration[]): void {
  const pending = pendingMigrations(known, appliedSoFar(database, statements))
  for (const step of pending) apply(database, statements, step)
}

function appliedSoFar(database: DatabaseSync, statements: Statements): readonly Applied[] {
  const table = database.prepare(`select name from sqlite_schema where type = 'table' and name = 'migration'`).get()
  if (!table) return []
  return unpackRows(statements.find(appliedMigrations.text, [])).map(appliedMigration)
}

function apply(database: DatabaseSync, statements: Statements, step: Migration): void {
  database.exec('begin immediate')
  try {
    database.exec(migrationTable)
    database.exec(step.text)
    run(statements, recordMigration(step))
    database.exec('commit')
  } catch (error) {
    if (database.isTransaction) database.exec('rollback')
    throw new Error(`${step.name} could not be applied`, { cause: error })
  }
}

function run(statements: Statements, { text, values }: Statement): void {
  statements.run(text, values)
}
