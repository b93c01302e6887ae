import type { Statements } from './statements.ts'

/** Pages of 4 KiB in the write-ahead log before they are copied home. A start after a crash reads at most a few times this. */
const longLog = 4_000

/**
 * Copies the write-ahead log into the database file when it has grown long. SQLite's own automatic checkpoint keeps
 * a failed sync to itself; this one throws.
 */
export function checkpointWhenLong(statements: Statements, long = longLog): void {
  const { rows } = statements.find('pragma wal_checkpoint(noop)', [])
  const [log, copied] = [Number(rows[0]?.[1]), Number(rows[0]?.[2])]
  if (log - copied < long) return
  // A log begins anew only when no reader is in it. Under steady reading that moment has to be waited for.
  statements.find(log < 4 * long ? 'pragma wal_checkpoint(passive)' : 'pragma wal_checkpoint(restart)', [])
}
