import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { isDiskFull, isFatal, packError } from './failures.ts'
import { runGroup } from './run-group.ts'
import { Statements } from './statements.ts'

function database() {
  const opened = new DatabaseSync(':memory:')
  opened.exec('create table note (id text primary key, body blob)')
  return { opened, statements: new Statements(opened) }
}

const note = (id: string, size = 1) => ({ text: 'insert into note values (?, ?)', values: [id, new Uint8Array(size)] })

test('a full disk loses the whole group, and the next one fits when there is room again', () => {
  const { opened, statements } = database()
  opened.exec('pragma max_page_count = 10')
  const tooMuch = [[note('a')], [note('b', 100_000), note('c')]]
  const error = caught(() => runGroup(opened, statements, tooMuch))
  expect(isDiskFull(packError(error))).toBe(true)
  expect(opened.isTransaction).toBe(false)
  expect(opened.prepare('select count(*) as n from note').get()).toEqual({ n: 0 })

  opened.exec('pragma max_page_count = 1000')
  expect(runGroup(opened, statements, tooMuch).ends).toEqual([[1], [1, 1]])
})

test('a refused write leaves nothing of its own statements and all of the others', () => {
  const { opened, statements } = database()
  const { ends } = runGroup(opened, statements, [[note('a')], [note('b'), note('a')], [note('c')], [note('a')]])
  expect(ends.map((end) => 'failed' in end)).toEqual([false, true, false, true])
  expect(opened.prepare('select id from note order by id').all()).toEqual([{ id: 'a' }, { id: 'c' }])
})

test('a text that came once is prepared once, and the oldest gives way when there are too many', () => {
  const { opened } = database()
  const few = new Statements(opened, 2)
  for (const value of [1, 2, 3, 1])
    expect(few.find(`select ${value} as n`, [])).toEqual({ columns: ['n'], rows: [[value]] })
})

test.each([
  [
    { message: 'disk I/O error', errcode: 10 | (4 << 8) },
    { fatal: true, full: false },
  ],
  [
    { message: 'database disk image is malformed', errcode: 11 },
    { fatal: true, full: false },
  ],
  [
    { message: 'database or disk is full', errcode: 13 },
    { fatal: false, full: true },
  ],
  [
    { message: 'no room for the index of the log', errcode: 10 | (19 << 8) },
    { fatal: false, full: true },
  ],
  [
    { message: 'UNIQUE constraint failed', errcode: 19 | (8 << 8) },
    { fatal: false, full: false },
  ],
  [{ message: 'not from SQLite' }, { fatal: false, full: false }],
])('what %j means', (error, { fatal, full }) => {
  expect({ fatal: isFatal(error), full: isDiskFull(error) }).toEqual({ fatal, full })
})

function caught(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}
