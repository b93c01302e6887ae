import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { silent } from '../../kit/logger.ts'
import { postgresPrograms, startPostgres, type TestPostgres } from '../../testing/postgres.ts'
import { describeStore } from '../conformance/store.ts'
import { knownMigrations, migration } from '../migrations.ts'
import { done, read, sql, write } from '../sql.ts'
import { openPostgresStore } from './index.ts'

const programs = postgresPrograms()

if (programs === undefined) {
  test.skip('the store on Postgres: no server programs on this machine (apt-get install postgresql)', () => {})
} else {
  describe('with a server of its own', () => {
    let server: TestPostgres
    beforeAll(async () => void (server = await startPostgres(programs)))
    afterAll(() => server[Symbol.asyncDispose]())

    describeStore('Postgres', async () => openPostgresStore({ url: await server.newDatabase(), log: silent }))

    test('a writing connection that is lost ends the process', async () => {
      const url = await server.newDatabase()
      const lost: Error[] = []
      const store = await openPostgresStore({ url, log: silent, onFatal: (error) => void lost.push(error) })
      const end = sql`select pg_terminate_backend(pid) from pg_stat_activity
                       where datname = current_database() and pid <> pg_backend_pid()`
      await store.read(read(end, (row) => row))
      await expect.poll(() => lost.length).toBe(1)
      await expect(store.commit(write([sql`select 1`], done))).rejects.toThrow()
      await store.close()
    })

    test('data of a newer version is refused', async () => {
      const url = await server.newDatabase()
      const newer = migration('9001_later.sql', 'create table later (id text primary key)')
      await (await openPostgresStore({ url, log: silent, migrations: [...knownMigrations(), newer] })).close()
      await expect(openPostgresStore({ url, log: silent })).rejects.toThrow(/newer version of Carrick/)
    })
  })
}
