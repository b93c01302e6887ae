import { describe, expect, test } from 'vitest'
import { oldRunnersKept, rolloutStep, renewalOf } from './rollout.ts'
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

describe('a renewal of the runners', () => {
  test.each([
    ['pending', 'leave', 'leave'],
    ['crash_backoff', 'leave', 'leave'],
    ['setup', 'leave', 'kill'],
    ['idle', 'replace', 'kill'],
    ['running', 'replace', 'kill'],
    ['draining', 'leave', 'kill'],
    ['terminating', 'leave', 'kill'],
    ['terminated', 'leave', 'leave'],
  ] as const)('of one that is %s: %s, by force %s', (state, gently, byForce) => {
    const runner = { state, revisionId: 'active' }
    expect(renewalOf(runner, { active: 'active', force: false })).toBe(gently)
    expect(renewalOf(runner, { active: 'active', force: true })).toBe(byForce)
  })

  test('leaves those that hand over to another revision, unless by force', () => {
    const old = { state: 'running', revisionId: 'old' } as const
    expect(renewalOf(old, { active: 'active', force: false })).toBe('leave')
    expect(renewalOf(old, { active: 'active', force: true })).toBe('kill')
  })
})
