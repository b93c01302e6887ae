import type { DatabaseSync } from 'node:sqlite'
import { crashPoint } from '../../kit/crash-points.ts'
import { endsGroup, packError } from './failures.ts'
import type { PackedEnd, PackedGroup, PackedResult, PackedStatement } from './messages.ts'
import type { Statements } from './statements.ts'

/**
 * Runs the writes of a group in one transaction and says how each ended. Throws when none of them happened. A write that is
 * refused is rare: only then is the group run again, with each write set apart from the others.
 */
export function runGroup(database: DatabaseSync, statements: Statements, group: PackedGroup): PackedEnd[] {
  const connection = { database, statements, texts: group.texts }
  try {
    return inTransaction(connection, () => group.writes.map((write) => runEach(connection, write)))
  } catch (error) {
    if (endsGroup(packError(error))) throw error
    return inTransaction(connection, () => group.writes.map((write) => runWrite(connection, write)))
  }
}

function inTransaction<Ends>({ database, statements }: Connection, run: () => Ends): Ends {
  try {
    statements.run('begin immediate', [])
    const ends = run()
    crashPoint('before_commit')
    statements.run('commit', [])
    crashPoint('after_commit')
    return ends
  } catch (error) {
    // A full disk, for one, ends SQLite's transaction by itself.
    if (database.isTransaction) statements.run('rollback', [])
    throw error
  }
}

interface Connection {
  readonly database: DatabaseSync
  readonly statements: Statements
  readonly texts: readonly string[]
}

/** Throws only when the whole group is lost. */
function runWrite(connection: Connection, write: readonly PackedStatement[]): PackedEnd {
  try {
    // A statement alone is all or nothing without our help.
    return write.length > 1 ? runTogether(connection, write) : runEach(connection, write)
  } catch (error) {
    const failed = packError(error)
    if (!connection.database.isTransaction || endsGroup(failed)) throw error
    return { failed }
  }
}

function runTogether(connection: Connection, write: readonly PackedStatement[]): PackedResult[] {
  const { database, statements } = connection
  statements.run('savepoint one_write', [])
  try {
    const results = runEach(connection, write)
    statements.run('release one_write', [])
    return results
  } catch (error) {
    if (database.isTransaction) undoWrite(statements)
    throw error
  }
}

function undoWrite(statements: Statements): void {
  statements.run('rollback to one_write', [])
  statements.run('release one_write', [])
}

function runEach({ statements, texts }: Connection, write: readonly PackedStatement[]): PackedResult[] {
  return write.map(([text, values]) => statements.run(texts[text] ?? '', values))
}
