import { describe, expect, test } from 'vitest'
import {
  carriesLoad,
  deploymentStatus,
  handoverEnd,
  oldRunnersKept,
  renewalOf,
  rolloutStep,
  scaleByName,
  successorsWanted,
} from './rollout.ts'
import { scaleInCode } from './scale.ts'
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
  ['works', { inFlight: 1, idleSince: 0, used: true }, true],
  ['worked a moment ago', { inFlight: 0, idleSince: 95_000, used: true }, true],
  ['has done nothing for 10 s', { inFlight: 0, idleSince: 90_000, used: true }, false],
  ['never had a request', { inFlight: 0, idleSince: 99_000, used: false }, false],
])('a runner that %s carries load: %o → %s', (_, burden, carries) => {
  expect(carriesLoad(burden, 100_000)).toBe(carries)
})

test.each([
  ['as many as carried the load', { carried: 4, desired: 1, cap: 10 }, 4],
  ['more where more are wanted now', { carried: 4, desired: 6, cap: 10 }, 6],
  ['the cap at most', { carried: 4, desired: 6, cap: 3 }, 3],
  ['one at least', { carried: 0, desired: 0, cap: 3 }, 1],
])('new runners that take over: %s', (_, counts, wanted) => expect(successorsWanted(counts)).toBe(wanted))

test.each([
  ['one for one', { had: 4, ready: 1, wanted: 4 }, 3],
  ['none once all are ready', { had: 4, ready: 4, wanted: 4 }, 0],
  ['all until the first is ready', { had: 2, ready: 0, wanted: 9 }, 2],
  ['two for one where half as many take over', { had: 4, ready: 1, wanted: 2 }, 2],
  ['the only one until all that it carried is taken over', { had: 1, ready: 3, wanted: 4 }, 1],
  ['none of an app that nobody used', { had: 1, ready: 1, wanted: 1 }, 0],
  ['never fewer than none', { had: 2, ready: 9, wanted: 3 }, 0],
])('old runners that serve on: %s', (_, counts, kept) => expect(oldRunnersKept(counts)).toBe(kept))

test('the handover is over after twice the startup timeout', () => expect(handoverEnd(1_000, 100)).toBe(1_200))

test.each([
  ['is being brought up, also again', { isRolling: true, deployedAt: 1, failedAt: 2 }, 'deploying'],
  ['serves', { isCurrent: true, deployedAt: 1 }, 'deployed'],
  ['served before this was noted', { isCurrent: true }, 'deployed'],
  ['served once', { deployedAt: 1 }, 'deployed'],
  ['never was healthy', { failedAt: 2 }, 'failed'],
  ['served once, and failed when it was to come back', { deployedAt: 1, failedAt: 2 }, 'failed'],
  ['failed first and then served', { deployedAt: 3, failedAt: 2 }, 'deployed'],
  ['was not promoted', {}, undefined],
])('the status of a revision that %s', (_, revision, status) => {
  expect(deploymentStatus({ isCurrent: false, isRolling: false, ...revision })).toBe(status)
})

test('a revision that is called by name scales as its code says, from nothing to two runners', () => {
  const code = scaleInCode({ min_concurrency: 3, max_concurrency: 9, concurrency_buffer: 1, keep_alive: 7 })
  const scale = { ...code, min_concurrency: 0, concurrency_buffer: 0, max_concurrency: 2 }
  expect(scaleByName(code)).toEqual(scale)
  expect(scaleByName({ ...code, max_concurrency: 1 })).toMatchObject({ max_concurrency: 1 })
})

describe('a renewal of the runners', () => {
  test.each([
    ['pending', 'leave', 'leave'],
    ['crash_backoff', 'leave', 'leave'],
    ['setup', 'replace', 'kill'],
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
