import { expect, test } from 'vitest'
import { isSpent, monthOf } from './budget.ts'

const at = (text: string) => Date.parse(text)

test.each([
  ['2026-11-26T08:00:00Z', '2026-11-01T00:00:00Z', '2026-12-01T00:00:00Z'],
  ['2026-12-31T23:59:59.999Z', '2026-12-01T00:00:00Z', '2027-01-01T00:00:00Z'],
  ['2027-01-01T00:00:00Z', '2027-01-01T00:00:00Z', '2027-02-01T00:00:00Z'],
])('%s is in the month from %s to %s', (now, from, to) => {
  expect(monthOf(at(now))).toEqual({ from: at(from), to: at(to) })
})

test.each([
  [{ limit: 10, spent: 9.99 }, 0, false],
  [{ limit: 10, spent: 10 }, 0, true],
  [{ limit: 10, spent: 12 }, 99, true],
  [{ limit: 0, spent: 0 }, 0, true],
  [{ limit: 10, spent: 12 }, 100, false], // another month
])('of %o, at %d: nothing more is started: %s', (amounts, now, expected) => {
  expect(isSpent({ ...amounts, currency: 'EUR', until: 100 }, now)).toBe(expected)
})
