import type { Ended } from '../committer.ts'
import type { Row, SqlValue, Statement, StatementResult } from '../store.ts'

/**
 * What crosses between the store and its threads: arrays of plain values. A text stands once in a message, however
 * many statements use it, and rows come without their column names, because cloning them would cost more than the rest.
 */
export interface PackedGroup {
  readonly texts: readonly string[]
  readonly writes: readonly (readonly PackedStatement[])[]
}

export type PackedStatement = readonly [text: number, values: readonly SqlValue[]]

export interface PackedRows {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly SqlValue[])[]
}

/** A number where a statement gave no rows: the rows it changed. */
export type PackedResult = number | PackedRows

export interface PackedError {
  readonly message: string
  /** SQLite's extended result code; absent when the error is not SQLite's. */
  readonly errcode?: number
}

export type PackedEnd = readonly PackedResult[] | { readonly failed: PackedError }

/** From the writer: how each write ended, or why none happened. */
export type GroupAnswer = { readonly ends: readonly PackedEnd[] } | Failure
export type ReadAnswer = { readonly found: PackedRows } | Failure
export type Failure = { readonly failed: PackedError; readonly fatal?: boolean }

/** SQLite refused a statement. */
export class SqliteError extends Error {
  override readonly name = 'SqliteError'
  readonly errcode: number | undefined

  constructor({ message, errcode }: PackedError) {
    super(message)
    this.errcode = errcode
  }
}

export function packGroup(group: readonly (readonly Statement[])[]): PackedGroup {
  const texts = new Map<string, number>()
  const place = (text: string): number => {
    const known = texts.get(text) ?? texts.size
    texts.set(text, known)
    return known
  }
  const writes = group.map((write) => write.map(({ text, values }) => [place(text), values.map(ownBytes)] as const))
  return { texts: [...texts.keys()], writes }
}

/** Bytes that are a window on a larger buffer would take the whole of it along. */
export function ownBytes(value: SqlValue): SqlValue {
  if (!(value instanceof Uint8Array) || value.byteLength === value.buffer.byteLength) return value
  return new Uint8Array(value)
}

export function unpackEnd(end: PackedEnd): Ended {
  return 'failed' in end ? { error: new SqliteError(end.failed) } : { results: end.map(unpackResult) }
}

function unpackResult(result: PackedResult): StatementResult {
  if (typeof result === 'number') return { changes: result, rows: [] }
  return { changes: result.rows.length, rows: unpackRows(result) }
}

export function unpackRows({ columns, rows }: PackedRows): readonly Row[] {
  return rows.map((row) => {
    const named: Record<string, SqlValue> = {}
    for (let at = 0; at < columns.length; at += 1) named[columns[at]!] = row[at]!
    return named
  })
}
