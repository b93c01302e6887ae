import { expect, test } from 'vitest'
import { decide, usualTime, type Gathering } from './gather.ts'

const busy: Gathering = { waiting: 20, expected: 64, waited: 1, quiet: 0.1, commit: 2, sync: 1, apart: 0.02 }

test.each<[claim: string, given: Partial<Gathering>, verdict: 'commit' | 'wait']>([
  ['nothing to do is nothing to commit', { waiting: 0 }, 'wait'],
  ['a writer that is alone never waits', { waiting: 1, expected: 1, waited: 0, quiet: 0 }, 'commit'],
  ['the first writer of all never waits', { waiting: 1, expected: 0, waited: 0, quiet: 0, commit: 0 }, 'commit'],
  ['when as many are back as were answered, there is nobody to wait for', { waiting: 64, quiet: 0 }, 'commit'],
  ['while writers keep coming back, the rest is waited for', {}, 'wait'],
  ['half of them go while the others come, when all take longer than a sync', { waiting: 32, apart: 0.02 }, 'commit'],
  ['less than half do not', { waiting: 31, apart: 0.02 }, 'wait'],
  ['on a slow disk one commit for all is better than two', { waiting: 32, commit: 5, sync: 4, apart: 0.02 }, 'wait'],
  ['a pause of half a commit means that no more are coming', { quiet: 1 }, 'commit'],
  ['two commits are the longest wait', { waited: 4 }, 'commit'],
  ['on a very fast disk, a turn of the network is no pause', { commit: 0.1, waited: 0.5, quiet: 0.2 }, 'wait'],
  ['on a very slow disk, the wait has an end', { commit: 500, waited: 20, quiet: 1 }, 'commit'],
])('%s', (_claim, given, verdict) => {
  expect(decide({ ...busy, ...given })).toBe(verdict)
})

test('one slow commit does not make the usual one slow', () => {
  expect(usualTime(0, 2)).toBe(2)
  expect(usualTime(2, 100)).toBeLessThan(30)
})
