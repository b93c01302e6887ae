import { describe, expect, test } from 'vitest'
import { changedQueue, queueDefaults } from './queue-settings.ts'

const tuned = { paused: true, fair_share: true, weights: { batch: 2, web: 5 }, retention_days: 7 }

test('what is not said stays', () => {
  expect(changedQueue(tuned, {})).toEqual(tuned)
  expect(changedQueue(tuned, { paused: false })).toEqual({ ...tuned, paused: false })
})

test('weights are changed caller by caller, and null goes back to the default', () => {
  const said = { weights: { batch: null, bot: 1 }, retention_days: null }
  expect(changedQueue(tuned, said)).toEqual({ paused: true, fair_share: true, weights: { web: 5, bot: 1 } })
})

test('a queue runs, in the order of arrival, unless somebody says otherwise', () => {
  expect(changedQueue(queueDefaults, {})).toEqual({ paused: false, fair_share: false, weights: {} })
})

test.each([0, 1 / 86_400, 0.5, 36_500])('%d days are a time to keep requests', (days) => {
  expect(changedQueue(queueDefaults, { retention_days: days }).retention_days).toBe(days)
})

describe('is refused, and says what is allowed:', () => {
  test.each([
    [{ weights: { web: 0 } }, 'The weight of "web" is 0, but must be a whole number from 1 to 100'],
    [{ weights: { web: 101 } }, 'from 1 to 100'],
    [{ weights: { web: 1.5 } }, 'from 1 to 100'],
    [{ weights: { '': 1 } }, 'by its id or alias'],
    [{ weights: { ['x'.repeat(201)]: 1 } }, 'in 200 characters'],
    [{ weights: Object.fromEntries(Array.from({ length: 1_001 }, (_, i) => [`k${i}`, 1])) }, '1000 are allowed'],
    [{ retention_days: -1 }, 'retention_days is -1'],
    [{ retention_days: 0.000_001 }, 'from a second'],
    [{ retention_days: 36_501 }, '36500 days'],
    [{ retention_days: Number.NaN }, 'retention_days is NaN'],
  ])('%j', (said, sentence) => {
    expect(() => changedQueue(tuned, said)).toThrow(sentence)
  })
})
