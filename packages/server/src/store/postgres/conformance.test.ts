import { afterAll, beforeAll, describe, test } from 'vitest'
import { silent } from '../../kit/logger.ts'
import { postgresPrograms, startPostgres, type TestPostgres } from '../../testing/postgres.ts'
import { describeStore } from '../conformance.ts'
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
  })
}
