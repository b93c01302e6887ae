import { expect, test } from 'vitest'
import { registerRevision } from '../store/next-revisions.ts'
import { openTestScheduler, testSpec } from '../testing/scheduler.ts'
import { openTestStore, addTestAccount } from '../testing/store.ts'
import type { TestStore } from '../testing/store.ts'

async function registerRun(store: TestStore): Promise<void> {
  const spec = { ...testSpec({ min_concurrency: 1, max_concurrency: 1 }), run: 'app' } as const
  const next = { revisionId: 'r1', strategy: 'recreate', scale: spec.scale, basedOn: spec.scale, now: 1 } as const
  const app = { id: 'run', accountId: 'account-1', name: 'run', environment: 'main' }
  await store.commit(registerRevision(app, spec, { ...next, authMode: 'private' }))
}

test('a run has one runner; its lines and its end reach whoever follows it, and it is not started again', async () => {
  await using store = await openStoreWithAccount()
  await using platform = await openTestScheduler({ store: store.store })
  const { scheduler, backend, apps } = platform
  const heard: string[] = []
  const ended = scheduler.followRun('run', ({ message }) => heard.push(message))
  await registerRun(store.store)
  await apps.refresh()
  await platform.settled()
  const [id = ''] = backend.alive
  backend.say(id, 'hello')
  backend.exit(id, { code: null, signal: 'SIGKILL' })
  expect(await ended).toMatchObject({ id, reason: 'startup_failure', exit: { signal: 'SIGKILL' } })
  await platform.pass(3_600_000)
  expect(heard).toEqual(['hello'])
  expect(backend.started).toHaveLength(1)
})

test('a run that serves is ended within a second of its caller', async () => {
  await using store = await openStoreWithAccount()
  await using platform = await openTestScheduler({ store: store.store })
  const { scheduler, backend, apps } = platform
  void scheduler.followRun('run', () => {})
  await registerRun(store.store)
  await apps.refresh()
  await platform.settled()
  const [id = ''] = backend.alive
  await platform.accept(id)
  backend.obedient = false
  scheduler.endRun('run')
  await platform.settled()
  expect(backend.finishing).toEqual([id])
  await platform.pass(1_000)
  expect(backend.alive).toEqual([])
  expect(backend.started).toHaveLength(1)
})

test('a start deletes what a former server process ran for its callers', async () => {
  await using store = await openStoreWithAccount()
  await registerRun(store.store)
  await using platform = await openTestScheduler({ store: store.store })
  await platform.settled()
  expect(await platform.app('run')).toBeUndefined()
  expect(platform.backend.started).toEqual([])
})

async function openStoreWithAccount() {
  const store = await openTestStore()
  await addTestAccount(store)
  return { store, [Symbol.asyncDispose]: () => store.close() }
}
