import { expect, test } from 'vitest'
import { delayMs, failedStart, nextStartAt } from './backoff.ts'

test.each([
  [1, 30],
  [2, 60],
  [3, 90],
  [19, 570],
  [20, 600],
  [21, 600],
  [1_000, 600],
])('after %i failures the next start waits %i s', (failures, seconds) =>
  expect(delayMs(failures)).toBe(seconds * 1_000),
)

test('the first start waits for nothing', () => {
  expect(nextStartAt(undefined, 5_000)).toBe(5_000)
})

test('the wait counts from the failure', () => {
  const once = failedStart(undefined, 0, 10_000)
  expect(nextStartAt(once, 15_000)).toBe(40_000)
  expect(nextStartAt(once, 50_000)).toBe(50_000)
  expect(nextStartAt(failedStart(once, 40_000, 41_000), 41_000)).toBe(101_000)
})

test('starts that were under way together count once', () => {
  const first = failedStart(undefined, 1_000, 10_000)
  expect(failedStart(first, 1_001, 11_000)).toEqual(first)
})
