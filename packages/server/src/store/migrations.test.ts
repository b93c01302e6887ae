import { expect, test } from 'vitest'
import { knownMigrations, migration, pendingMigrations } from './migrations.ts'

const [first, second, third] = ['0001_a.sql', '0002_b.sql', '0003_c.sql'].map((name) => migration(name, `-- ${name}`))
const known = [first!, second!, third!]

test('a new database gets all steps, an old one the rest, in order', () => {
  expect(pendingMigrations(known, [])).toEqual(known)
  expect(pendingMigrations(known, [first!])).toEqual([second, third])
  expect(pendingMigrations(known, known)).toEqual([])
})

test('data of a newer version is refused', () => {
  expect(() => pendingMigrations([first!], [first!, second!])).toThrow(/newer version.*0002_b\.sql/)
})

test('a step that reads differently from when it was applied is refused', () => {
  const edited = migration('0001_a.sql', 'drop table account')
  expect(() => pendingMigrations([edited, second!], [first!])).toThrow(/0001_a\.sql has changed/)
})

test('a step cannot be slipped in below one that was applied', () => {
  expect(() => pendingMigrations(known, [first!, third!])).toThrow(/0002_b\.sql comes too late/)
})

test('our own steps are numbered upwards, each number once', () => {
  const numbers = knownMigrations().map(({ number }) => number)
  expect(numbers).toEqual([...new Set(numbers)].toSorted((one, other) => one - other))
})
