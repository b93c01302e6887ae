import { expect, test } from 'vitest'
import { fairShareIn, shareOf, weightOf } from './fair-share.ts'

const settings = { paused: false, fair_share: true, weights: { 'key-1': 5, web: 3, anonymous: 2 } }
const aliases = [
  ['key-1', 'web'],
  ['key-2', 'web'],
  ['key-3', 'toString'],
] as const

test.each([
  ['a key named by its id, although its alias is named too', 'key-1', 5],
  ['a key named by its alias', 'key-2', 3],
  ['a key that nobody named', 'key-3', 1],
  ['a key of somebody else', 'key-4', 1],
  ['callers without a key', shareOf({}), 2],
])('the weight of %s', (_, share, weight) => {
  expect(weightOf(fairShareIn(settings, aliases)!, share)).toBe(weight)
})

test('there are no shares where callers take no turns', () => {
  expect(fairShareIn({ ...settings, fair_share: false }, aliases)).toBeUndefined()
})
