import type { Client } from 'pg'
import {
  appliedMigration,
  appliedMigrations,
  migrationTable,
  pendingMigrations,
  recordMigration,
  type Applied,
  type Migration,
} from '../migrations.ts'
import type { Row } from '../store.ts'
import { postgresSchema, postgresText } from './dialect.ts'

/** Any number that nobody else takes: two servers that start at once bring the schema up to date one after the other. */
const migrationLock = 70_771_001

/** Brings the schema up to date in one transaction. Refuses before it changes anything. */
export async function migrate(client: Client, known: readonly Migration[]): Promise<void> {
  await client.query('begin')
  try {
    await client.query(`select pg_advisory_xact_lock(${migrationLock})`)
    for (const step of pendingMigrations(known, await appliedSoFar(client))) await apply(client, step)
    await client.query('commit')
  } catch (error) {
    await client.query('rollback')
    throw error
  }
}

async function appliedSoFar(client: Client): Promise<readonly Applied[]> {
  const { rows } = await client.query(`select to_regclass('migration') as found`)
  if (rows[0]?.found === null) return []
  return (await client.query<Row>(appliedMigrations.text)).rows.map(appliedMigration)
}

async function apply(client: Client, step: Migration): Promise<void> {
  const { text, values } = recordMigration(step)
  await client.query(migrationTable)
  await client.query(postgresSchema(step.text))
  await client.query(postgresText(text), [...values])
}
