import { expect, test } from 'vitest'
import type { Setup, Sighting } from '../domain/runner.ts'
import type { Draft } from './draft.ts'
import { fold } from './fold.ts'
import { viewOfLive } from './listing.ts'
import { Pulls } from './pulls.ts'

const startedAt = 1_000
const startupMs = 5_000
const identity = { id: 'r', appId: 'a', accountId: 'ann', revisionId: 'v', machineType: 'S', createdAt: startedAt }
const setup: Setup = { ...identity, state: 'setup', startedAt, readyBy: startedAt + startupMs }

const lookAt = (seen: Sighting) => ({ listed: new Map([['r', seen]]), isWhole: true })

/** What becomes of it when the backend says this, then. */
function after(pulls: Pulls, seen: Sighting | undefined, now: number, runner: Setup = setup) {
  const look = seen && lookAt(seen)
  pulls.learn(look)
  let put: unknown = runner
  const draft = { put: (to: unknown) => void (put = to) } as unknown as Draft
  fold([runner], { look, refused: new Set(), pulls }, draft, now)
  pulls.settle(() => true)
  return put as Setup
}

test('a runner whose image is pulled is shown so, and its time in setup has not begun', () => {
  const pulls = new Pulls()
  expect(after(pulls, { kind: 'pulling' }, startedAt + 2 * startupMs)).toEqual(setup)
  expect(after(pulls, undefined, startedAt + 3 * startupMs)).toEqual(setup) // nobody looked
  const extras = {
    app: undefined,
    appName: 'hello',
    requests: [],
    replacement: 'none' as const,
    isPulling: pulls.has('r'),
    waitsFor: undefined,
  }
  const loaded = { runner: setup, inFlight: 0, idleSince: 0, used: false }
  expect(viewOfLive(loaded as never, extras, startedAt).state).toBe('docker_pull')
})

test('its time begins when the image is there, once', () => {
  const pulls = new Pulls()
  after(pulls, { kind: 'pulling' }, startedAt)
  const then = startedAt + 10 * startupMs
  const begun = after(pulls, { kind: 'starting' }, then)
  expect(begun).toMatchObject({ state: 'setup', startedAt: then, readyBy: then + startupMs })
  expect(after(pulls, { kind: 'starting' }, then + 1, begun)).toEqual(begun)
  expect(after(pulls, { kind: 'starting' }, then + startupMs + 1, begun)).toMatchObject({ reason: 'startup_timeout' })
})

test('what it runs in may have to be built again: its time begins when that is there, though no backend lists it', () => {
  const pulls = new Pulls()
  const draft = { put: (to: Setup) => void (seen = to) } as unknown as Draft
  let seen: Setup = setup
  const look = { listed: new Map(), isWhole: true }
  const pass = (building: readonly string[], now: number) => {
    pulls.learn(look, building)
    fold([seen], { look, refused: new Set(), pulls }, draft, now)
    pulls.settle(() => true)
  }
  pass(['r'], startedAt + 10 * startupMs)
  expect([seen, pulls.has('r')]).toEqual([setup, true])
  const then = startedAt + 11 * startupMs
  pass([], then)
  expect(seen).toMatchObject({ state: 'setup', startedAt: then, readyBy: then + startupMs })
  pass([], then + startupMs + 1)
  expect(seen).toMatchObject({ reason: 'startup_timeout' })
})

test('no image is waited for without end', () => {
  const pulls = new Pulls()
  const ended = after(pulls, { kind: 'pulling' }, startedAt + startupMs + 30 * 60_000 + 1)
  expect(ended).toMatchObject({ state: 'terminated', reason: 'startup_timeout' })
})
