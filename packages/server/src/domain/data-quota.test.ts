import { expect, test } from 'vitest'
import { dataLimit, isFarOver, isOver, measureAt } from './data-quota.ts'

test.each([
  { own: undefined, ofServer: 100, limit: 100 },
  { own: 5, ofServer: 100, limit: 5 },
  { own: 0, ofServer: 100, limit: Infinity },
  { own: undefined, ofServer: 0, limit: Infinity },
])('of $own in an account and $ofServer on the server, $limit counts', ({ own, ofServer, limit }) => {
  expect(dataLimit(own, ofServer)).toBe(limit)
})

test('an account is measured at once, then now and then, and less often where that takes long', () => {
  expect(measureAt(undefined, 60_000)).toBe(0)
  expect(measureAt({ bytes: 1, at: 1_000, tookMs: 10 }, 60_000)).toBe(61_000)
  expect(measureAt({ bytes: 1, at: 1_000, tookMs: 30_000 }, 60_000)).toBe(601_000)
})

test('at the limit is not over it, and a tenth more is far over', () => {
  expect([isOver(100, 100), isOver(101, 100), isOver(1e15, Infinity)]).toEqual([false, true, false])
  expect([isFarOver(110, 100), isFarOver(111, 100), isFarOver(1e15, Infinity)]).toEqual([false, true, false])
})
