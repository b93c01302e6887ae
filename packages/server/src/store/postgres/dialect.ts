/** Everything in which Postgres wants another text, or gives other values, than SQLite. */

/** An order given by the store: rows that come later have a higher number, and no number is given twice. */
const serialKey = {
  sqlite: 'integer primary key autoincrement',
  postgres: 'bigint generated always as identity primary key',
}

/** A migration's text for Postgres. */
export function postgresSchema(text: string): string {
  return text.replaceAll(serialKey.sqlite, serialKey.postgres)
}

/** A statement's text for Postgres: `$1`, `$2` … for each `?` that stands for a value. */
export function postgresText(text: string): string {
  let place = 0
  // A question mark in a string, a quoted name or a comment is only itself.
  return text.replace(/'[^']*'|"[^"]*"|--[^\n]*|\?/g, (found) => (found === '?' ? `$${(place += 1)}` : found))
}

const BOOL = 16
const INT8 = 20
const NUMERIC = 1700

/** How a value of that type is read, where the driver's own way differs from SQLite's: numbers are numbers. */
export function parserOf(type: number): ((value: string) => number) | undefined {
  if (type === INT8 || type === NUMERIC) return Number
  return type === BOOL ? (value) => (value === 't' ? 1 : 0) : undefined
}
