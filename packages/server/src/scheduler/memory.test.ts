import { expect, test } from 'vitest'
import { pend, start, terminate } from '../domain/runner.ts'
import { Memory } from './memory.ts'

const identity = { id: 'runner', appId: 'app', accountId: 'account', machineType: 'XS', createdAt: 0 }

test('failed starts are forgotten with their revision', () => {
  const memory = new Memory()
  for (const revisionId of ['active', 'former']) {
    const from = start(pend({ ...identity, revisionId }, 0), 1_000, 0)
    memory.learn({ from, to: terminate(from, 'startup_failure', 1) }, 1)
  }
  memory.keepRevisions(new Set(['active']))
  expect([[...memory.backoffs.keys()], [...memory.failedStarts.keys()]]).toEqual([['active'], ['active']])
})
