import type { Row } from './store.ts'

/** Columns as the types they hold: the schema promises what is read here. */
export const text = (row: Row, column: string): string => String(row[column])
export const number = (row: Row, column: string): number => Number(row[column])
/** JSON that this store has written itself, so that its reader may name the type. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters
export const json = <T>(row: Row, column: string): T => JSON.parse(text(row, column))

export function optionalText(row: Row, column: string): string | undefined {
  return row[column] === null ? undefined : text(row, column)
}

export function optionalNumber(row: Row, column: string): number | undefined {
  return row[column] === null ? undefined : number(row, column)
}

export function bytes(row: Row, column: string): Uint8Array {
  const value = row[column]
  return value instanceof Uint8Array ? value : new Uint8Array()
}

/** A field that is there only when it has a value. */
export function present<Name extends string, T>(name: Name, value: T | undefined): { readonly [name in Name]?: T } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [name in Name]: T })
}
