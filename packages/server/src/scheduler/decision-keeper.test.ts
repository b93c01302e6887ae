import { expect, test } from 'vitest'
import { decisionsBefore } from '../store/decisions.ts'
import { deleteApp } from '../store/apps.ts'
import { FakeBackend } from '../testing/fake-backend.ts'
import { openTestScheduler } from '../testing/scheduler.ts'
import { addTestAccount, openTestStore } from '../testing/store.ts'

test('the last decisions about an app are there after the server has gone, and go with the app', async () => {
  const store = await openTestStore()
  await addTestAccount(store)
  const before = await openTestScheduler({ store })
  await before.deploy({ revision: 'r1', scale: { min_concurrency: 1 } })
  const [runner] = before.backend.alive
  await before[Symbol.asyncDispose]()

  const after = await openTestScheduler({ store, backend: new FakeBackend() })
  const kept = await store.read(decisionsBefore('hello', Number.MAX_SAFE_INTEGER))
  expect(kept.at(-1)?.decision.steps).toEqual([{ kind: 'start', cause: 'demand', runners: [runner], count: 1 }])
  await after[Symbol.asyncDispose]()
  await store.commit(deleteApp('hello', 1))
  expect(await store.read(decisionsBefore('hello', Number.MAX_SAFE_INTEGER))).toEqual([])
  await store.close()
})
