import type { Read, Row, SqlValue, Statement, StatementResult, Topic, Write } from './store.ts'

/** Booleans, moments and JSON take their stored form here, and only here. */
type Value = SqlValue | boolean | undefined | object

/** A statement from a template: every `${value}` becomes a parameter, never text. */
export function sql(strings: TemplateStringsArray, ...values: readonly Value[]): Statement {
  return { text: textOf(strings), values: values.map(stored) }
}

/** A template is one object however often it is used: its text is put together once, and hashed once by those who look it up. */
function textOf(strings: TemplateStringsArray): string {
  const known = texts.get(strings)
  if (known !== undefined) return known
  const text = strings.join('?')
  texts.set(strings, text)
  return text
}

const texts = new WeakMap<TemplateStringsArray, string>()

function stored(value: Value): SqlValue {
  if (value === undefined || value === null) return null
  if (typeof value === 'boolean') return value ? 1 : 0
  if (value instanceof Uint8Array) return value
  return typeof value === 'object' ? JSON.stringify(value) : value
}

/** The row of an insert; what may follow it is what to do on conflict, and what to give back. */
const givenRow = / values \((.*?)\)(?=\s*$|\s+(?:on conflict|returning)\b)/s

/**
 * An insert of one row that happens only where the condition holds when its turn comes; what it returns is empty
 * otherwise. An insert that selects its row has conditions of its own, and stays as it is.
 */
export function onlyWhere(insert: Statement, condition: Statement): Statement {
  const [whole, row] = givenRow.exec(insert.text) ?? []
  if (whole === undefined && /\sselect\s/.test(insert.text)) return insert
  if (whole === undefined) throw new Error(`no insert of one row: ${insert.text}`)
  return {
    text: insert.text.replace(whole, () => `\n select ${row} where ${condition.text}`),
    values: [...insert.values, ...condition.values],
  }
}

export function write<T>(
  statements: readonly Statement[],
  result: (results: readonly StatementResult[]) => T,
  touches: readonly Topic[] = [],
): Write<T> {
  return { statements, result, touches }
}

/** A read whose rows are each parsed by `parse`. */
export function read<T>(statement: Statement, parse: (row: Row) => T): Read<readonly T[]> {
  return { statement, result: (rows) => rows.map(parse) }
}

/** A read of one row, or of none. */
export function readOne<T>(statement: Statement, parse: (row: Row) => T): Read<T | undefined> {
  return { statement, result: ([row]) => (row === undefined ? undefined : parse(row)) }
}

/** For writes whose answer is that they happened. */
export const done = (): void => {}

/** True when the first statement changed a row: the guard in its `where` held. */
export const firstWon = ([first]: readonly StatementResult[]): boolean => (first?.changes ?? 0) > 0

/** Several writes as one: all happen or none. Its answer is the first one's. */
export function together<T>(first: Write<T>, ...others: readonly Write<unknown>[]): Write<T> {
  const all = [first, ...others]
  return {
    statements: all.flatMap(({ statements }) => statements),
    result: (results) => first.result(results.slice(0, first.statements.length)),
    touches: [...new Set(all.flatMap(({ touches }) => touches))],
  }
}

/**
 * A write that nobody waits for: the commits of others do not wait for it, nor are they kept back by it. It goes along with
 * one of theirs, or alone when there was none for so long.
 */
export function patiently<T>(one: Write<T>, patienceMs = 10): Write<T> {
  return { ...one, patienceMs }
}
