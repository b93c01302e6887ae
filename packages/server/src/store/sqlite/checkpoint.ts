import type { Statements } from './statements.ts'

/** Pages of 4 KiB in the write-ahead log before they are copied home. A start after a crash reads at most about this. */
const longLog = 4_000

/**
 * Copies the write-ahead log into the database file when it has grown long. SQLite's own automatic checkpoint keeps
 * a failed sync to itself; this one throws.
 */
export function checkpointWhenLong(statements: Statements): void {
  const { rows } = statements.find('pragma wal_checkpoint(noop)', [])
  if (Number(rows[0]?.[1]) - Number(rows[0]?.[2]) >= longLog) statements.find('pragma wal_checkpoint(passive)', [])
}
