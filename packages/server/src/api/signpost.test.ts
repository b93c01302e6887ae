import { expect, test } from 'vitest'
import { signpost } from './signpost.ts'

test('the page of an endpoint says how to call just that one', () => {
  expect(signpost('ann/hello/generate')).toContain('page of ann/hello.')
  expect(signpost('ann/hello/generate')).toContain('curl "$CARRICK_URL/ann/hello/generate"')
})
