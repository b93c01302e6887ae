import { expect, test } from 'vitest'
import type { RevisionSpec } from '../domain/revision.ts'
import { deleteApp } from '../store/apps.ts'
import { abortRolling, registerRevision, setNextRevision } from '../store/next-revisions.ts'
import { addTestAccount, openTestStore } from '../testing/store.ts'
import { createApps } from './store-apps.ts'

const scale = {
  keep_alive: 10,
  min_concurrency: 0,
  max_concurrency: 1,
  concurrency_buffer: 0,
  concurrency_buffer_perc: 0,
  scaling_delay: 0,
  request_timeout: 60,
  valid_regions: [],
  max_multiplexing: 1,
  startup_timeout: 60,
  machine_types: ['XS'],
}
const spec: RevisionSpec = {
  environment: { kind: 'virtualenv', pythonVersion: '3.11', layers: [], compileBytecode: false },
  environmentId: '0',
  callable: { method: 'dill', blob: '0' },
  scale,
  terminationGracePeriodSeconds: 5,
  skipRetryConditions: [],
  retryBudgets: {},
  privateLogs: false,
  metadata: {},
}
const next = { scale, basedOn: scale, authMode: 'private' as const, now: 1 }
const hello = { id: 'app', accountId: 'account', name: 'hello', environment: 'main' }

async function openStore() {
  const store = await openTestStore()
  await addTestAccount(store, { id: 'account', nickname: 'ann' })
  return store
}

test('an app is known by owner and name, with the revisions that matter now', async () => {
  await using store = await openStore()
  const apps = await createApps(store)
  expect(apps.find('ann', 'hello')).toBeUndefined()
  await store.commit(registerRevision(hello, spec, { ...next, revisionId: 'one', strategy: 'recreate' }))
  await store.commit(registerRevision(hello, spec, { ...next, revisionId: 'two', strategy: 'rolling' }))
  await apps.refresh()
  expect(apps.find('ann', 'hello')).toMatchObject({ app: { id: 'app' }, active: { id: 'one' }, rolling: { id: 'two' } })
  expect(apps.byId('app')).toBe(apps.find('ann', 'hello'))
  await store.commit(abortRolling('app', 'two', 2))
  await apps.refresh()
  expect(apps.byId('app')?.rolling).toBeUndefined()
})

test('a refresh shows what was committed before it was asked for, also while another is under way', async () => {
  await using store = await openStore()
  const apps = await createApps(store)
  await store.commit(registerRevision(hello, spec, { ...next, revisionId: 'one', strategy: 'recreate' }))
  await store.commit(registerRevision(hello, spec, { ...next, revisionId: 'two', strategy: 'recreate' }))
  for (const revisionId of ['one', 'two', 'one', 'two']) {
    const before = apps.refresh()
    await store.commit(setNextRevision('app', { ...next, revisionId, strategy: 'recreate' }))
    await apps.refresh()
    expect(apps.byId('app')?.active?.id).toBe(revisionId)
    await before
  }
})

test('a change is noticed without being asked, and a deleted app is forgotten', async () => {
  await using store = await openStore()
  const apps = await createApps(store)
  await store.commit(registerRevision(hello, spec, { ...next, revisionId: 'one', strategy: 'recreate' }))
  await expect.poll(() => apps.find('ann', 'hello')?.active?.id, { timeout: 30_000 }).toBe('one')
  await store.commit(deleteApp('app', 2))
  await expect.poll(() => [...apps.all()], { timeout: 30_000 }).toEqual([])
})
