import { describe, expect, test } from 'vitest'
import {
  bound,
  drain,
  exceededWords,
  isFailedStart,
  observe,
  pend,
  start,
  terminate,
  type Exceeded,
  type Serving,
  type Sighting,
} from './runner.ts'

const now = 1_000_000
const identity = { id: 'x', appId: 'a', accountId: 'b', revisionId: 'r', machineType: 'XS', createdAt: now, keyId: 'k' }
const address = { host: '127.0.0.1', port: 4_000 }
const setup = start(pend(identity, now), 600_000, now)
const serving: Serving = { ...identity, state: 'serving', address, readyAt: now }
const draining = drain(serving, 'stopped', now)
const unlisted: Sighting = { kind: 'unlisted' }
const exited: Sighting = { kind: 'exited', exit: { code: 1, signal: null } }

test('a runner in setup serves when its port accepts', () => {
  expect(observe(setup, { kind: 'accepting', address }, now + 1)).toEqual({ ...serving, readyAt: now + 1 })
})

test('a runner in setup has until its deadline to appear', () => {
  expect(observe(setup, unlisted, setup.readyBy)).toBe(setup)
  const overdue = observe(setup, unlisted, setup.readyBy + 1)
  expect(overdue).toMatchObject({ state: 'terminated', reason: 'startup_timeout' })
})

test.each([
  [setup, 'startup_failure'],
  [serving, 'crash'],
  [draining, 'stopped'],
] as const)('an exit says why it ended', (runner, reason) => {
  expect(observe(runner, exited, now)).toMatchObject({ state: 'terminated', reason, exit: { code: 1 }, keyId: 'k' })
})

test.each([[setup], [serving], [draining]])(
  'one that took too much memory says so, whatever it was doing',
  (runner) => {
    for (const exceeded of Object.keys(exceededWords) as Exceeded[]) {
      const end = observe(runner, { kind: 'exited', exit: { code: null, signal: 'SIGKILL' }, exceeded }, now)
      expect(end).toMatchObject({ state: 'terminated', reason: exceeded, exit: { signal: 'SIGKILL' } })
    }
  },
)

test('late and repeated sightings change nothing', () => {
  expect(observe(serving, { kind: 'accepting', address }, now)).toBe(serving)
  expect(observe(draining, { kind: 'accepting', address }, now)).toBe(draining)
  expect(observe(pend(identity, now), unlisted, now)).toEqual(pend(identity, now))
})

test('a serving runner that is no longer listed has crashed', () => {
  expect(observe(serving, unlisted, now)).toMatchObject({ state: 'terminated', reason: 'crash' })
})

describe('the end of draining', () => {
  const limits = { inFlight: 0, graceMs: 5_000, requestTimeoutMs: 60_000 }

  test('is the grace after the last request', () => {
    expect(bound(draining, { ...limits, inFlight: 1 }, now + 59_999)).toBe(draining)
    expect(bound(draining, limits, now + 30_000).killAt).toBe(now + 35_000)
  })

  test('comes when no request may run longer', () => {
    expect(bound(draining, { ...limits, inFlight: 1 }, now + 60_000).killAt).toBe(now + 60_000)
  })

  test('does not move once it is set', () => {
    const set = bound(draining, limits, now)
    expect(bound(set, limits, now + 1_000)).toBe(set)
  })
})

test('only starts that failed make the next one wait', () => {
  expect(isFailedStart(terminate(setup, 'startup_failure', now))).toBe(true)
  expect(isFailedStart(terminate(setup, 'startup_timeout', now))).toBe(true)
  for (const reason of Object.keys(exceededWords) as Exceeded[])
    expect(isFailedStart(terminate(setup, reason, now))).toBe(true)
  expect(isFailedStart(terminate(setup, 'stopped', now))).toBe(false)
})
