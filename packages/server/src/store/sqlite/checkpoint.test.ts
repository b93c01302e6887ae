import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { checkpointWhenLong } from './checkpoint.ts'
import { Statements } from './statements.ts'

const long = 20

test('the write-ahead log stays about as long as allowed, and a reader that lingers only delays that', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'carrick-log-'))
  const file = join(folder.path, 'carrick.db')
  using writer = new DatabaseSync(file, { timeout: 0 })
  writer.exec('pragma journal_mode = wal; pragma wal_autocheckpoint = 0; create table note (body text)')
  const statements = new Statements(writer)
  const longestOf = (commits: number) => {
    const lengths = Array.from({ length: commits }, () => {
      writer.exec(`insert into note values ('x')`)
      checkpointWhenLong(statements, long)
      return Number(statements.find('pragma wal_checkpoint(noop)', []).rows[0]?.[1])
    })
    return Math.max(...lengths)
  }

  expect(longestOf(10 * long)).toBe(long)
  const reader = startReading(file)
  expect(longestOf(10 * long)).toBeGreaterThan(9 * long)
  reader.close()
  longestOf(2 * long)
  expect(longestOf(10 * long)).toBe(long)
})

function startReading(file: string): DatabaseSync {
  const reader = new DatabaseSync(file, { readOnly: true })
  reader.exec('begin; select * from note limit 1')
  return reader
}
