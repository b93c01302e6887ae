import { beforeEach, expect, test } from 'vitest'
import type { App } from '../domain/app.ts'
import type { RevisionSpec } from '../domain/revision.ts'
import { serverDefaults } from '../domain/scale.ts'
import { addTestAccount, openTestStore } from '../testing/store.ts'
import type { TestStore } from '../testing/store.ts'
import { allApps, appByName, deleteApp, updateScale } from './apps.ts'
import { lastTurn, takeTurn } from './deploy-turns.ts'
import { abortRolling, registerRevision, setNextRevision, switchRevision } from './next-revisions.ts'
import type { NextRevision } from './next-revisions.ts'
import {
  deleteRevision,
  failureSince,
  newestMoment,
  revisionsById,
  revisionsOfAccount,
  revisionsOfApp,
  revisionsPage,
} from './revisions.ts'

let store: TestStore

beforeEach(async () => {
  store = await openTestStore()
  await addTestAccount(store)
  return () => store.close()
})

const spec: RevisionSpec = {
  environment: { kind: 'virtualenv', pythonVersion: '3.11', layers: [['fal']], compileBytecode: false },
  environmentId: 'e'.repeat(64),
  callable: { method: 'cloudpickle', blob: 'b'.repeat(64) },
  scale: serverDefaults,
  terminationGracePeriodSeconds: 5,
  skipRetryConditions: [],
  retryBudgets: {},
  privateLogs: false,
  metadata: { message: 'first' },
}
const fast = { ...serverDefaults, keep_alive: 60 }
const slow = { ...serverDefaults, keep_alive: 600 }

function register(revisionId: string, { id = 'app-1', ...next }: Partial<NextRevision> & { id?: string } = {}) {
  const app = { id, accountId: 'account-1', name: 'hello', environment: 'main' }
  const whole = { strategy: 'rolling', scale: fast, basedOn: fast, authMode: 'private', now: 10, ...next } as const
  return store.commit(registerRevision(app, spec, { ...whole, revisionId }))
}

async function hello(): Promise<App> {
  const app = await store.read(appByName('account-1', 'hello'))
  if (app === undefined) throw new Error('there is no app called hello')
  return app
}

test('a first rolling deploy has no endpoint until it is switched, and takes its settings then', async () => {
  expect(await register('r1', { authMode: 'public' })).toBe(true)
  const before = await hello()
  expect(before).toMatchObject({ rollingRevisionId: 'r1', rollingScale: fast, owner: 'ann' })
  expect(before).not.toHaveProperty('revisionId')

  expect(await store.commit(switchRevision('app-1', 'r1', undefined, 20))).toBe(true)
  const after = await hello()
  expect(after).toMatchObject({ revisionId: 'r1', scale: fast, authMode: 'public', updatedAt: 20 })
  expect(after).not.toHaveProperty('rollingRevisionId')
})

test('a recreate deploy moves the app at once', async () => {
  await register('r1', { strategy: 'recreate' })
  await register('r2', { strategy: 'recreate', scale: slow, authMode: 'shared' })
  expect(await hello()).toMatchObject({ id: 'app-1', revisionId: 'r2', scale: slow, authMode: 'shared' })
  expect((await store.read(revisionsOfApp('app-1'))).map(({ id }) => id)).toEqual(['r2', 'r1'])
})

test('what a rolling deploy brings stays out of force until it switches', async () => {
  await register('r1', { strategy: 'recreate' })
  await register('r2', { scale: slow, authMode: 'public' })
  expect(await hello()).toMatchObject({ revisionId: 'r1', scale: fast, authMode: 'private' })
  await store.commit(switchRevision('app-1', 'r2', fast, 20))
  expect(await hello()).toMatchObject({ revisionId: 'r2', scale: slow, authMode: 'public' })
})

test('only the newest of two rolling deploys can be switched to or aborted', async () => {
  await register('r1')
  await register('r2')
  expect(await store.commit(switchRevision('app-1', 'r1', undefined, 20))).toBe(false)
  expect(await store.commit(abortRolling('app-1', 'r1', 20))).toBe(false)
  expect(await store.commit(switchRevision('app-1', 'r2', undefined, 20))).toBe(true)
})

test('turns are given out in order, and a change of an earlier one than the app has seen changes nothing', async () => {
  const turns = await Promise.all([1, 2, 3, 4].map(() => store.commit(takeTurn('account-1'))))
  expect(new Set(turns)).toEqual(new Set([1, 2, 3, 4]))
  expect(await register('r1', { strategy: 'recreate', turn: 2 })).toBe(true)
  expect(await register('r2', { strategy: 'recreate', turn: 1 })).toBe(false)
  expect(await register('r3', { turn: 4 })).toBe(true)
  const back = { revisionId: 'r1', strategy: 'recreate', scale: fast, basedOn: fast, now: 20 } as const
  expect(await store.commit(setNextRevision('app-1', { ...back, turn: 3 }))).toBe(false)
  expect(await hello()).toMatchObject({ revisionId: 'r1', rollingRevisionId: 'r3' })
  expect(await store.read(lastTurn('account-1', 'hello'))).toBe(4)
  expect((await store.read(revisionsOfApp('app-1'))).map(({ id }) => id)).toEqual(['r3', 'r1'])
})

test('what became of a revision is on record: when calls went to it, when its deployment failed, and why', async () => {
  const page = async () => store.read(revisionsPage('app-1', { createdAt: 1_000, id: '' }, 10))
  await register('r1', { strategy: 'recreate', now: 10 })
  await register('r2', { now: 11 })
  expect(await page()).toMatchObject([{ id: 'r2' }, { id: 'r1', deployedAt: 10 }])
  expect((await page())[0]).not.toHaveProperty('deployedAt')
  await store.commit(abortRolling('app-1', 'r2', 20, 'no such model'))
  expect((await page())[0]).toMatchObject({ failedAt: 20, failure: 'no such model' })
  expect(await store.read(failureSince('r2', 20))).toBe('no such model')
  expect(await store.read(failureSince('r2', 21))).toBeUndefined()
  const again = { revisionId: 'r2', scale: fast, basedOn: fast, now: 30 }
  await store.commit(setNextRevision('app-1', { ...again, strategy: 'rolling' }))
  expect((await page())[0]).not.toHaveProperty('deployedAt')
  await store.commit(switchRevision('app-1', 'r2', undefined, 40))
  expect((await page())[0]).toMatchObject({ deployedAt: 40, failedAt: 20 })
  await store.commit(setNextRevision('app-1', { ...again, revisionId: 'r1', strategy: 'recreate', now: 50 }))
  expect((await page())[1]).toMatchObject({ deployedAt: 50 })
})

test('a first deploy that fails leaves no app, and its name is free', async () => {
  await register('r1')
  expect(await store.commit(abortRolling('app-1', 'r1', 20))).toBe(true)
  expect(await store.read(allApps())).toEqual([])
  expect(await register('r2', { id: 'app-2' })).toBe(true)
  expect(await hello()).toMatchObject({ id: 'app-2', rollingRevisionId: 'r2' })
})

test('a later deploy that fails leaves the app as it was', async () => {
  await register('r1', { strategy: 'recreate' })
  const before = await hello()
  await register('r2', { scale: slow, authMode: 'public' })
  expect(await store.commit(abortRolling('app-1', 'r2', 20))).toBe(true)
  expect(await hello()).toEqual({ ...before, updatedAt: 20 })
})

test('a deploy that was worked out from other settings, or for another app of that name, changes nothing', async () => {
  await register('r1', { strategy: 'recreate' })
  expect(await register('r2', { basedOn: slow })).toBe(false)
  expect(await register('r3', { id: 'app-2' })).toBe(false)
  expect(await store.read(revisionsById(['r1', 'r2', 'r3']))).toMatchObject([{ id: 'r1', spec }])
  expect(await hello()).toMatchObject({ revisionId: 'r1' })
})

test('an app can go back to a revision, at once or when it is healthy', async () => {
  await register('r1', { strategy: 'recreate' })
  await register('r2', { strategy: 'recreate' })
  const back = { revisionId: 'r1', scale: fast, basedOn: fast, now: 20 }
  expect(await store.commit(setNextRevision('app-1', { ...back, strategy: 'rolling' }))).toBe(true)
  expect(await hello()).toMatchObject({ revisionId: 'r2', rollingRevisionId: 'r1', authMode: 'private' })
  expect(await store.commit(setNextRevision('app-1', { ...back, strategy: 'recreate' }))).toBe(true)
  expect(await hello()).toMatchObject({ revisionId: 'r1' })
})

test('live settings change for the rolling deploy too, and only while they are what was read', async () => {
  await register('r1', { strategy: 'recreate' })
  await register('r2')
  const read = await hello()
  expect(await store.commit(updateScale(read, slow, slow, 20))).toBe(true)
  expect(await store.commit(updateScale(read, fast, fast, 21))).toBe(false)
  await store.commit(switchRevision('app-1', 'r2', undefined, 22))
  expect(await hello()).toMatchObject({ revisionId: 'r2', scale: slow })
})

test('a deleted app is gone once, and keeps its revisions on record', async () => {
  await register('r1', { strategy: 'recreate' })
  expect(await store.commit(deleteApp('app-1', 20))).toBe(true)
  expect(await store.commit(deleteApp('app-1', 21))).toBe(false)
  expect(await store.read(appByName('account-1', 'hello'))).toBeUndefined()
  expect(await store.read(revisionsById(['r1']))).toHaveLength(1)
  expect(await store.read(revisionsOfAccount('account-1', 'main'))).toEqual([])
})

test('whoever waits for a change of apps hears of it', async () => {
  const heard = new Promise<void>((resolve) => store.onChange('app', resolve))
  await register('r1')
  await heard
})

test('the newest moment is that of whatever was written last', async () => {
  expect(await store.read(newestMoment())).toBe(0)
  await register('r1', { now: 1_000 })
  expect(await store.read(newestMoment())).toBe(1_000)
  await store.commit(switchRevision('app-1', 'r1', undefined, 2_000))
  expect(await store.read(newestMoment())).toBe(2_000)
})

test('no ids, no revisions', async () => {
  expect(await store.read(revisionsById([]))).toEqual([])
})

test('a deleted revision is in no list and cannot be set', async () => {
  await register('r1', { strategy: 'recreate' })
  await register('r2', { strategy: 'recreate' })
  expect(await store.commit(deleteRevision('r1', 30))).toBe(true)
  expect(await store.commit(deleteRevision('r1', 30))).toBe(false)
  expect(await store.read(revisionsById(['r1']))).toEqual([])
  expect((await store.read(revisionsOfApp('app-1'))).map(({ id }) => id)).toEqual(['r2'])
  expect((await store.read(revisionsOfAccount('account-1', 'main'))).map(({ id }) => id)).toEqual(['r2'])
  const next = { revisionId: 'r1', strategy: 'recreate', scale: fast, basedOn: fast, now: 40 } as const
  expect(await store.commit(setNextRevision('app-1', next))).toBe(false)
  expect(await hello()).toMatchObject({ revisionId: 'r2' })
})

test('a revision that an app has or is being moved to is not deleted', async () => {
  await register('r1', { strategy: 'recreate' })
  await register('r2')
  expect(await store.commit(deleteRevision('r1', 30))).toBe(false)
  expect(await store.commit(deleteRevision('r2', 30))).toBe(false)
  await store.commit(switchRevision('app-1', 'r2', fast, 40))
  expect(await store.commit(deleteRevision('r1', 50))).toBe(true)
})
