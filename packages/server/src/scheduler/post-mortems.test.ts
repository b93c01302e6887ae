import { expect, test } from 'vitest'
import { pend, terminate } from '../domain/runner.ts'
import { PostMortems } from './post-mortems.ts'

const identity = { id: 'x', appId: 'a', accountId: 'b', revisionId: 'r', machineType: 'XS', createdAt: 0 }
const ended = (reason: 'oom' | 'crash') => terminate(pend(identity, 0), reason, 1)

test('whoever asks before a runner has ended is told what ended it', async () => {
  const mortems = new PostMortems(() => true)
  const asked = Promise.all([mortems.whatExceeded('x'), mortems.whatExceeded('x')])
  mortems.ended(ended('oom'))
  expect(await asked).toEqual(['oom', 'oom'])
  expect(await mortems.whatExceeded('x')).toBe('oom')
})

test('one that ended for another reason, or is not known, wanted too much of nothing', async () => {
  const mortems = new PostMortems((id) => id === 'x')
  const asked = mortems.whatExceeded('x')
  mortems.ended(ended('crash'))
  expect(await asked).toBeUndefined()
  expect(await mortems.whatExceeded('y')).toBeUndefined()
})
