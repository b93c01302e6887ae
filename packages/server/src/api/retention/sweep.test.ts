import { beforeEach, expect, test } from 'vitest'
import type { Outcome } from '../../domain/request.ts'
import { createApps } from '../../home/store-apps.ts'
import { silent } from '../../kit/logger.ts'
import { queueOfApp, updateQueue } from '../../store/apps.ts'
import { acceptRequest, finishAttempt, requestById } from '../../store/requests.ts'
import { stepSize } from '../../store/retention.ts'
import { manualClock } from '../../testing/clock.ts'
import { addTestAccount, addTestApp, openTestStore, type TestStore } from '../../testing/store.ts'
import { startRetention, Sweep } from './sweep.ts'

const day = 86_400_000
const start = 1_800_000_000_000
const forever = new AbortController().signal
const answer: Outcome = { status: 200, headers: [], body: { inline: new Uint8Array(1) } }
const patient = { timeout: 30_000, interval: 10 }

let store: TestStore
beforeEach(async () => {
  store = await openTestStore()
  await addTestAccount(store)
  for (const id of ['one', 'two']) await addTestApp(store, { id, name: id })
  return () => store.close()
})

async function openSweep(retentionDays = 30) {
  const clock = manualClock(start)
  const parts = { store, apps: await createApps(store), clock, log: silent, retentionDays }
  return { ...parts, sweep: new Sweep(parts) }
}

async function ended(appId: string, id: string, at = start): Promise<void> {
  const payload = { method: 'POST', path: '/', headers: [], body: { inline: new Uint8Array(9) }, callerId: 'c' }
  const retry = { forbidden: false, budgets: {} }
  const request = { id, appId, priority: 'normal', acceptedAt: at, retry, payload } as const
  await store.commit(acceptRequest(request, { runnerId: 'runner', now: at }))
  await store.commit(finishAttempt({ requestId: id, attempt: 1, outcome: answer, now: at }))
}

async function keepFor(appId: string, retention_days: number): Promise<void> {
  const was = await store.read(queueOfApp(appId))
  await store.commit(updateQueue(appId, was!, { ...was!.queue, retention_days }, start))
}

const isThere = async (id: string) => (await store.read(requestById(id))) !== undefined

test('requests go when their time is over, and not before', async () => {
  const { sweep, clock } = await openSweep()
  await ended('one', 'old')
  await ended('one', 'new', start + 1_000)
  clock.advance(30 * day)
  await sweep.pass(forever)
  expect(await isThere('old')).toBe(true)
  clock.advance(60_001)
  await ended('one', 'newest', clock.now())
  await sweep.pass(forever)
  expect([await isThere('old'), await isThere('new'), await isThere('newest')]).toEqual([false, false, true])
  expect(sweep.swept).toEqual({ requests: 2, payloads: 0, runners: 0 })
})

test('each app keeps its own as long as its owner says, in whatever many steps that takes', async () => {
  const { sweep, clock, apps } = await openSweep()
  await keepFor('two', 1)
  await apps.refresh()
  await Promise.all(Array.from({ length: 2 * stepSize + 7 }, (_, i) => ended('two', `two-${i}`)))
  await ended('one', 'one')
  clock.advance(2 * day)
  await sweep.pass(forever)
  expect(sweep.swept.requests).toBe(2 * stepSize + 7)
  expect(await isThere('one')).toBe(true)
})

test('nothing is looked at again before it is time', async () => {
  const { sweep, clock } = await openSweep()
  await sweep.pass(forever)
  await ended('one', 'old')
  clock.advance(31 * day)
  await sweep.pass(forever)
  await ended('one', 'older', start)
  await sweep.pass(forever)
  expect([await isThere('old'), await isThere('older')]).toEqual([false, true])
  sweep.lookSoon()
  await sweep.pass(forever)
  expect(await isThere('older')).toBe(false)
})

test('a server that keeps everything for ever takes nothing away', async () => {
  const { sweep, clock } = await openSweep(0)
  await ended('one', 'old')
  clock.advance(10_000 * day)
  await sweep.pass(forever)
  expect(await isThere('old')).toBe(true)
})

test('an end in the middle leaves whole requests, and the next start goes on', async () => {
  const { sweep, clock } = await openSweep()
  await Promise.all(Array.from({ length: 3 * stepSize }, (_, i) => ended('one', `r${i}`)))
  clock.advance(31 * day)
  const ending = new AbortController()
  const passing = sweep.pass(ending.signal)
  await expect.poll(() => sweep.swept.requests, patient).toBeGreaterThan(0)
  ending.abort()
  await passing
  const { sweep: next, clock: later } = await openSweep()
  later.advance(31 * day)
  await next.pass(forever)
  expect(sweep.swept.requests + next.swept.requests).toBe(3 * stepSize)
})

test('a change of what an owner keeps counts at once', async () => {
  const { sweep: _, ...parts } = await openSweep()
  await ended('one', 'old')
  parts.clock.advance(2 * day)
  const retention = startRetention(parts)
  await expect.poll(() => isThere('old'), patient).toBe(true)
  await keepFor('one', 1)
  await expect.poll(() => isThere('old'), patient).toBe(false)
  await retention.stop()
  expect(retention.swept().requests).toBe(1)
})
