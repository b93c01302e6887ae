import { expect, test } from 'vitest'
import { cancelledOutcome, failedOutcome } from '../domain/outcome.ts'
import type { NewRequest, Outcome } from '../domain/request.ts'
import { addTestAccount, addTestApp, openTestStore } from '../testing/store.ts'
import { payloadOf, resultOf } from './bodies.ts'
import {
  acceptRequest,
  appsWithUnfinished,
  completeWaiting,
  completeWaitingOf,
  finishAttempt,
  requestById,
  requestCancel,
  retryLater,
  startAttempt,
  unfinishedRequests,
} from './requests.ts'

const now = 1_800_000_000_000

function newRequest(id: string, more: Partial<NewRequest> = {}): NewRequest {
  return {
    id,
    appId: 'app-1',
    priority: 'normal',
    acceptedAt: now,
    retry: { forbidden: false, budgets: {} },
    payload: {
      method: 'POST',
      path: '/generate?x=1',
      headers: [['x-accent', 'é']],
      body: { inline: new Uint8Array([0, 255]) },
      callerId: 'caller',
    },
    ...more,
  }
}

function answer(text: string): Outcome {
  return { status: 200, headers: [['a', 'b']], body: { inline: new TextEncoder().encode(text) }, runnerId: 'runner-1' }
}

async function openStore() {
  const store = await openTestStore()
  await addTestAccount(store)
  await addTestApp(store)
  return store
}

test('requests get places in the order they were accepted, and are read back in it', async () => {
  await using store = await openStore()
  const seqs = await Promise.all(['a', 'b', 'c'].map((id) => store.commit(acceptRequest(newRequest(id)))))
  expect(seqs).toEqual([...seqs].toSorted((a, b) => a - b))
  const page = await store.read(unfinishedRequests('app-1', seqs[0]!, 10))
  expect(page.map(({ request }) => request.id)).toEqual(['b', 'c'])
  expect(page[0]).toMatchObject({
    state: 'waiting',
    cancelRequested: false,
    request: { seq: seqs[1], attempt: 0, used: {} },
  })
  expect(await store.read(appsWithUnfinished())).toEqual(['app-1'])
  expect(await store.read(payloadOf('a'))).toEqual(newRequest('a').payload)
})

test('with a slot, the first attempt starts in the commit of the acceptance', async () => {
  await using store = await openStore()
  await store.commit(acceptRequest(newRequest('a'), { runnerId: 'runner-1', now }))
  expect(await store.read(requestById('a'))).toMatchObject({
    state: 'running',
    attempt: 1,
    runnerId: 'runner-1',
    startedAt: now,
  })
  expect(await store.commit(startAttempt({ requestId: 'a', attempt: 1, runnerId: 'runner-2', now }))).toBe(false)
})

test('an attempt starts once', async () => {
  await using store = await openStore()
  await store.commit(acceptRequest(newRequest('a')))
  const start = startAttempt({ requestId: 'a', attempt: 1, runnerId: 'runner-1', now })
  expect(await Promise.all([store.commit(start), store.commit(start)])).toEqual([true, false])
})

test('the first outcome is the only one', async () => {
  await using store = await openStore()
  await store.commit(acceptRequest(newRequest('a'), { runnerId: 'runner-1', now }))
  const first = finishAttempt({ requestId: 'a', attempt: 1, outcome: answer('one'), now: now + 5 })
  const second = finishAttempt({ requestId: 'a', attempt: 1, outcome: answer('two'), now: now + 6 })
  expect(await Promise.all([store.commit(first), store.commit(second)])).toEqual([true, false])
  expect(await store.read(resultOf('a'))).toMatchObject({ ...answer('one'), status: 200 })
  expect(await store.read(requestById('a'))).toMatchObject({ state: 'completed', finishedAt: now + 5, status: 200 })
  expect(await store.read(appsWithUnfinished())).toEqual([])
})

test('the result of an attempt that is no longer current is dropped', async () => {
  await using store = await openStore()
  await store.commit(acceptRequest(newRequest('a'), { runnerId: 'runner-1', now }))
  const used = { timeout: 1 }
  expect(await store.commit(retryLater({ requestId: 'a', attempt: 1, dueAt: now + 9, used }))).toBe(true)
  expect(await store.commit(finishAttempt({ requestId: 'a', attempt: 1, outcome: answer('late'), now }))).toBe(false)
  const [waiting] = await store.read(unfinishedRequests('app-1', 0, 1))
  expect(waiting?.request).toMatchObject({ attempt: 1, dueAt: now + 9, used })
  expect(await store.commit(startAttempt({ requestId: 'a', attempt: 2, runnerId: 'runner-2', now }))).toBe(true)
  expect(await store.commit(finishAttempt({ requestId: 'a', attempt: 1, outcome: answer('late'), now }))).toBe(false)
  expect(await store.read(resultOf('a'))).toBeUndefined()
})

test('a cancellation ends what waits, is remembered of what runs, and comes too late for what ended', async () => {
  await using store = await openStore()
  await store.commit(acceptRequest(newRequest('waits')))
  await store.commit(acceptRequest(newRequest('runs'), { runnerId: 'runner-1', now }))
  const cancel = (id: string) => store.commit(requestCancel({ requestId: id, outcome: cancelledOutcome(id), now }))
  expect(await cancel('waits')).toBe('ended')
  expect(await cancel('waits')).toBe('too_late')
  expect(await cancel('runs')).toBe('asked')
  expect(await store.commit(startAttempt({ requestId: 'waits', attempt: 1, runnerId: 'runner-1', now }))).toBe(false)
  expect(await store.commit(retryLater({ requestId: 'runs', attempt: 1, dueAt: now, used: {} }))).toBe(false)
  expect(await store.read(requestById('waits'))).toMatchObject({ status: 499, error: { code: 'client_cancelled' } })
})

test('a deadline ends only what still waits', async () => {
  await using store = await openStore()
  const outcome = failedOutcome({ code: 'request_timeout', message: 'late' })
  await store.commit(acceptRequest(newRequest('a', { startBy: now + 1 }), { runnerId: 'runner-1', now }))
  expect(await store.commit(completeWaiting({ requestId: 'a', outcome, now }))).toBe(false)
  expect(await store.read(resultOf('a'))).toBeUndefined()
})

test('all that waits for an app ends together, each with a result, in bounded steps', async () => {
  await using store = await openStore()
  await Promise.all(['a', 'b', 'c'].map((id) => store.commit(acceptRequest(newRequest(id)))))
  await store.commit(acceptRequest(newRequest('runs'), { runnerId: 'runner-1', now }))
  const outcome = failedOutcome({ code: 'app_not_found', message: 'gone' })
  const step = () => store.commit(completeWaitingOf('app-1', { outcome, now, limit: 2 }))
  expect([await step(), await step(), await step()]).toEqual([2, 1, 0])
  expect(await store.read(resultOf('c'))).toMatchObject({ status: 404, headers: outcome.headers })
  expect(await store.read(requestById('runs'))).toMatchObject({ state: 'running' })
})
