import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { SqlValue } from '../store.ts'
import type { PackedResult, PackedRows } from './packed.ts'

interface Prepared {
  readonly statement: StatementSync
  /** Empty when the statement gives no rows. */
  readonly columns: readonly string[]
}

/** Statements of one connection, prepared once. Texts that vary without end push out the oldest. */
export class Statements {
  readonly #database: DatabaseSync
  readonly #bound: number
  readonly #prepared = new Map<string, Prepared>()

  constructor(database: DatabaseSync, bound = 500) {
    this.#database = database
    this.#bound = bound
  }

  run(text: string, values: readonly SqlValue[]): PackedResult {
    const { statement, columns } = this.#prepare(text)
    if (columns.length > 0) return { columns, rows: rowsOf(statement, values) }
    return Number(statement.run(...values).changes)
  }

  find(text: string, values: readonly SqlValue[]): PackedRows {
    const { statement, columns } = this.#prepare(text)
    return { columns, rows: rowsOf(statement, values) }
  }

  #prepare(text: string): Prepared {
    const known = this.#prepared.get(text)
    if (known) return known
    const statement = this.#database.prepare(text)
    statement.setReturnArrays(true)
    const prepared = { statement, columns: statement.columns().map(({ name }) => name) }
    const oldest = this.#prepared.keys().next()
    if (this.#prepared.size >= this.#bound && !oldest.done) this.#prepared.delete(oldest.value)
    this.#prepared.set(text, prepared)
    return prepared
  }
}

/** `setReturnArrays` makes rows arrays; the declared type of `all` does not follow it. */
function rowsOf(statement: StatementSync, values: readonly SqlValue[]): SqlValue[][] {
  return statement.all(...values) as unknown as SqlValue[][]
}
