import { mkdtempDisposable, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { silent } from '../../kit/logger.ts'
import { knownMigrations, migration } from '../migrations.ts'
import { read, sql } from '../sql.ts'
import { openSqliteStore } from './index.ts'

const ours = knownMigrations()
const newer = migration('9001_later.sql', 'create table later (id text primary key);')

const tables = read(sql`select name from sqlite_schema where type = 'table' order by name`, (row) => row['name'])

async function madeBy(file: string, migrations: readonly ReturnType<typeof migration>[]): Promise<void> {
  await (await openSqliteStore({ file, log: silent, migrations })).close()
}

test('data of a newer version is refused with a sentence, and the file stays as it was', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'carrick-newer-'))
  const file = join(folder.path, 'carrick.db')
  await madeBy(file, [...ours, newer])
  const before = await readFile(file)
  await expect(openSqliteStore({ file, log: silent })).rejects.toThrow(/newer version of Carrick.*9001_later\.sql/)
  expect(before.equals(await readFile(file))).toBe(true)
})

test('data of an older version is brought up to date, and keeps what it holds', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'carrick-older-'))
  const file = join(folder.path, 'carrick.db')
  await madeBy(file, ours)
  const store = await openSqliteStore({ file, log: silent, migrations: [...ours, newer] })
  expect(await store.read(tables)).toEqual(expect.arrayContaining(['account', 'later', 'request']))
  await store.close()
})

test('a step that fails leaves nothing of itself', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'carrick-broken-'))
  const file = join(folder.path, 'carrick.db')
  const broken = migration('9001_broken.sql', 'create table half (id text); create table half (id text);')
  await expect(openSqliteStore({ file, log: silent, migrations: [...ours, broken] })).rejects.toThrow(
    /9001_broken\.sql/,
  )
  const store = await openSqliteStore({ file, log: silent })
  expect(await store.read(tables)).not.toContain('half')
  await store.close()
})
