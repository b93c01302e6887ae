import { describe, expect, test } from 'vitest'
import { oldRunnersKept, rolloutStep } from './rollout.ts'
import { pend, start, terminate, type Serving } from './runner.ts'

const identity = { id: 'x', appId: 'a', accountId: 'b', revisionId: 'r', machineType: 'XS', createdAt: 0 }
const setup = start(pend(identity, 0), 100, 0)
const serving: Serving = { ...identity, state: 'serving', address: { host: '127.0.0.1', port: 1 }, readyAt: 0 }
const rollout = { since: 1_000, startupTimeoutMs: 100, runners: [setup] }

describe('a rolling deploy', () => {
  test('waits for twice the startup timeout', () => {
    expect(rolloutStep(rollout, 1_200)).toEqual({ kind: 'wait', until: 1_200 })
    expect(rolloutStep(rollout, 1_201)).toEqual({ kind: 'abort', reason: 'too_long' })
  })

  test('switches as soon as one runner serves', () => {
    expect(rolloutStep({ ...rollout, runners: [setup, serving] }, 5_000)).toEqual({ kind: 'switch' })
  })

  test('ends with the first start that fails', () => {
    const failed = terminate(setup, 'startup_failure', 1_050)
    expect(rolloutStep({ ...rollout, runners: [], failed }, 1_050)).toEqual({ kind: 'abort', reason: 'failed_start' })
  })
})

test.each([
  [{ had: 4, ready: 1, desired: 4 }, 3],
  [{ had: 4, ready: 4, desired: 4 }, 0],
  [{ had: 4, ready: 1, desired: 2 }, 1],
  [{ had: 1, ready: 1, desired: 0 }, 0],
  [{ had: 2, ready: 0, desired: 9 }, 2],
])('old runners that still serve: %o', (counts, kept) => expect(oldRunnersKept(counts)).toBe(kept))
