import type { DatabaseSync } from 'node:sqlite'
import { crashPoint } from '../../kit/crash-points.ts'
import { endsGroup, packError } from './failures.ts'
import type { Statement } from '../store.ts'
import type { PackedEnd, PackedResult } from './packed.ts'
import type { Statements } from './statements.ts'

/** Writes, each of them its statements. */
type Group = readonly (readonly Statement[])[]

interface Committed {
  /** How each write ended. */
  readonly ends: readonly PackedEnd[]
  /** How long it took to get them to disk once they had run. */
  readonly syncMs: number
}

/**
 * Runs the writes of a group in one transaction. Throws when none of them happened. A write that is
 * refused is rare: only then is the group run again, with each write set apart from the others.
 */
export function runGroup(database: DatabaseSync, statements: Statements, group: Group): Committed {
  const connection = { database, statements }
  try {
    return inTransaction(connection, () => group.map((write) => runEach(connection, write)))
  } catch (error) {
    if (endsGroup(packError(error))) throw error
    return inTransaction(connection, () => group.map((write) => runWrite(connection, write)))
  }
}

function inTransaction({ database, statements }: Connection, run: () => PackedEnd[]): Committed {
  try {
    statements.run('begin immediate', [])
    const ends = run()
    crashPoint('before_commit')
    const began = performance.now()
    statements.run('commit', [])
    const syncMs = performance.now() - began
    crashPoint('after_commit')
    return { ends, syncMs }
  } catch (error) {
    // A full disk, for one, ends SQLite's transaction by itself.
    if (database.isTransaction) statements.run('rollback', [])
    throw error
  }
}

interface Connection {
  readonly database: DatabaseSync
  readonly statements: Statements
}

/** Throws only when the whole group is lost. */
function runWrite(connection: Connection, write: readonly Statement[]): PackedEnd {
  try {
    // A statement alone is all or nothing without our help.
    return write.length > 1 ? runTogether(connection, write) : runEach(connection, write)
  } catch (error) {
    const failed = packError(error)
    if (!connection.database.isTransaction || endsGroup(failed)) throw error
    return { failed }
  }
}

function runTogether(connection: Connection, write: readonly Statement[]): PackedResult[] {
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

function runEach({ statements }: Connection, write: readonly Statement[]): PackedResult[] {
  return write.map(({ text, values }) => statements.run(text, values))
}
