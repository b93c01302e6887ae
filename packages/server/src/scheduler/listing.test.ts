import { expect, test } from 'vitest'
import { drain, pend, start, terminate, type LiveRunner, type Serving } from '../domain/runner.ts'
import { viewOfEnded, viewOfLive } from './listing.ts'

const now = 100_000
const identity = { id: 'runner', appId: 'app', accountId: 'account', revisionId: 'revision', createdAt: 40_000 }
const pending = pend({ ...identity, machineType: 'GPU-H100' }, now)
const setup = start(pending, 600_000, now)
const serving: Serving = {
  ...identity,
  machineType: 'GPU-H100',
  state: 'serving',
  address: { host: '127.0.0.1', port: 1 },
  readyAt: 50_000,
}

const view = (runner: LiveRunner, inFlight = 0) =>
  viewOfLive(
    { runner, inFlight, idleSince: now, used: true },
    { app: undefined, appName: 'hello', requests: [], replacement: 'none', isPulling: false, waitsFor: undefined },
    now,
  )

test.each([
  ['waits for its turn', 'pending', view(pending)],
  ['waits after failed starts', 'crash_backoff', view(pend(pending, now + 1))],
  ['starts', 'setup', view(setup)],
  ['has nothing to do', 'idle', view(serving)],
  ['serves a request', 'running', view(serving, 1)],
  ['finishes its requests', 'draining', view(drain(serving, 'killed', now), 1)],
  ['is about to end', 'terminating', view(drain(serving, 'killed', now))],
  ['has ended', 'terminated', viewOfEnded(terminate(serving, 'killed', now), 'hello')],
])('a runner that %s is %s', (_, state, seen) => {
  expect(seen).toMatchObject({ state, appName: 'hello', uptimeSeconds: 60 })
})

test('one that drains or has ended tells why', () => {
  expect(view(drain(serving, 'killed', now)).reason).toBe('killed')
  expect(viewOfEnded(terminate(serving, 'crash', now), 'hello')).toMatchObject({ reason: 'crash', endedAt: now })
})
