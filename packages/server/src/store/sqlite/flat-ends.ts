import type { Ended } from '../committer.ts'
import type { SqlValue, StatementResult } from '../store.ts'
import { times } from './flat-group.ts'
import { SqliteError, unpackRows, type PackedEnd, type PackedResult } from './packed.ts'
import { Places } from './places.ts'

/**
 * How a group ended, on its way back. For each write it holds how many results, or -1 with the error's message and code; for each
 * result the rows it changed, or `true` with the place of its columns, how many rows, and their values.
 */
export interface FlatEnds {
  readonly columns: readonly (readonly string[])[]
  readonly cells: readonly Cell[]
}

type Cell = SqlValue | true

const refused = -1

export function flattenEnds(ends: readonly PackedEnd[]): FlatEnds {
  const [columns, cells] = [new Places<readonly string[]>(), [] as Cell[]]
  for (const end of ends) {
    if ('failed' in end) cells.push(refused, end.failed.message, end.failed.errcode ?? null)
    else cells.push(end.length)
    if (!('failed' in end)) for (const result of end) flattenResult(result, columns, cells)
  }
  return { columns: columns.all(), cells }
}

function flattenResult(result: PackedResult, columns: Places<readonly string[]>, cells: Cell[]): void {
  if (typeof result === 'number') return void cells.push(result)
  cells.push(true, columns.of(result.columns), result.rows.length)
  for (const row of result.rows) for (const value of row) cells.push(value)
}

export function unflattenEnds({ columns, cells }: FlatEnds): readonly Ended[] {
  let at = 0
  const next = () => cells[at++] as SqlValue
  const count = () => Number(cells[at++])
  const result = (): StatementResult => {
    const changes = cells[at++]
    if (changes !== true) return { changes: Number(changes), rows: [] }
    const names = columns[count()]!
    const rows = times(count(), () => times(names.length, next))
    return { changes: rows.length, rows: unpackRows({ columns: names, rows }) }
  }
  const ends: Ended[] = []
  while (at < cells.length) {
    const results = count()
    ends.push(results === refused ? { error: refusal(String(next()), next()) } : { results: times(results, result) })
  }
  return ends
}

function refusal(message: string, errcode: SqlValue): SqliteError {
  return new SqliteError(errcode === null ? { message } : { message, errcode: Number(errcode) })
}
