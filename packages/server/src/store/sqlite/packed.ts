import type { Row, SqlValue } from '../store.ts'

/** Rows without their column names, because cloning these for each row would cost more than the rest. */
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

/** SQLite refused a statement. */
export class SqliteError extends Error {
  override readonly name = 'SqliteError'
  readonly errcode: number | undefined

  constructor({ message, errcode }: PackedError) {
    super(message)
    this.errcode = errcode
  }
}

/** Bytes that are a window on a larger buffer would take the whole of it along. */
export function ownBytes(value: SqlValue): SqlValue {
  if (!(value instanceof Uint8Array) || value.byteLength === value.buffer.byteLength) return value
  return new Uint8Array(value)
}

export function unpackRows({ columns, rows }: PackedRows): readonly Row[] {
  return rows.map((row) => {
    const named: Record<string, SqlValue> = {}
    for (let at = 0; at < columns.length; at += 1) named[columns[at]!] = row[at]!
    return named
  })
}
