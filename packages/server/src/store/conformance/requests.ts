import { beforeAll, describe, expect, test } from 'vitest'
import type { NewRequest, Outcome } from '../../domain/request.ts'
import { addTestApp } from '../../testing/store.ts'
import { payloadOf, resultOf } from '../bodies.ts'
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
  newestSeq,
  unfinishedRequests,
  waitingByCaller,
  waitingRequests,
} from '../requests.ts'
import type { Store } from '../store.ts'

const now = 1_800_000_000_000
const bytes = (text: string) => new TextEncoder().encode(text)

function request(id: string, appId: string): NewRequest {
  const payload = {
    method: 'POST',
    path: '/',
    headers: [['content-type', 'application/json']],
    body: { inline: bytes(`body of ${id}`) },
    callerId: 'caller',
  } as const
  return { id, appId, priority: 'normal', acceptedAt: now, retry: { forbidden: false, budgets: {} }, payload }
}

function answered(text: string): Outcome {
  return { status: 200, headers: [['a', 'b']], body: { inline: bytes(text) }, runnerId: 'runner-1' }
}

const cancelled: Outcome = {
  status: 400,
  headers: [],
  body: { inline: bytes('{}') },
  error: { code: 'client_cancelled', message: 'cancelled by its caller' },
}

/** The life of a request, on whichever engine. */
export function describeRequests(store: () => Store): void {
  describe('holds requests:', () => {
    // Each test has an app of its own, so that none sees another's queue.
    let apps = 0
    let appId = ''
    const newApp = async () =>
      (appId = await addTestApp(store(), { id: `queue-${(apps += 1)}`, name: `queue-${apps}` }))
    const accept = (id: string) => store().commit(acceptRequest(request(`${appId}/${id}`, appId)))
    const unfinished = async (after = 0, limit = 100, upTo = Number.MAX_SAFE_INTEGER) => {
      const found = await store().read(unfinishedRequests(appId, { after, upTo }, limit))
      return found.map((one) => one.request.id.slice(appId.length + 1))
    }
    beforeAll(async () => void (await newApp()))

    test('their order is the order in which they were handed over', async () => {
      await newApp()
      const ids = Array.from({ length: 100 }, (_, index) => `r${index}`)
      const seqs = await Promise.all(ids.map(accept))
      expect(seqs).toEqual(seqs.toSorted((a, b) => a - b))
      expect(new Set(seqs).size).toBe(ids.length)
      expect(await unfinished()).toEqual(ids)
    })

    test('a home reads its backlog page by page, and what is finished is not in it', async () => {
      await newApp()
      const seqs = await Promise.all(['a', 'b', 'c', 'd'].map(accept))
      await store().commit(completeWaiting({ requestId: `${appId}/b`, outcome: cancelled, now }))
      expect(await unfinished(0, 2)).toEqual(['a', 'c'])
      expect(await unfinished(seqs[2], 2)).toEqual(['d'])
      expect(await unfinished(0, 100, seqs[2]), 'what came later than the start is not in it').toEqual(['a', 'c'])
      expect(await store().read(newestSeq())).toBe(seqs[3])
      expect(await store().read(appsWithUnfinished())).toContain(appId)
    })

    test('a home reads whose key each request came with, where there was one', async () => {
      await newApp()
      await accept('a')
      await store().commit(acceptRequest({ ...request(`${appId}/b`, appId), keyId: 'key-1' }))
      const found = await store().read(unfinishedRequests(appId, { after: 0, upTo: Number.MAX_SAFE_INTEGER }, 10))
      expect(found.map((one) => one.request.keyId)).toEqual([undefined, 'key-1'])
    })

    test('an app with nothing to do is not listed', async () => {
      await newApp()
      await accept('only')
      await store().commit(completeWaiting({ requestId: `${appId}/only`, outcome: cancelled, now }))
      expect(await store().read(appsWithUnfinished())).not.toContain(appId)
    })

    test('what was submitted is what is sent', async () => {
      await newApp()
      await accept('a')
      const payload = await store().read(payloadOf(`${appId}/a`))
      expect(payload).toMatchObject({ method: 'POST', headers: [['content-type', 'application/json']] })
      expect(payload && 'inline' in payload.body && Buffer.from(payload.body.inline).toString()).toBe(
        `body of ${appId}/a`,
      )
    })

    test('accepting with a slot starts the first attempt in the same commit', async () => {
      await newApp()
      const slot = { runnerId: 'runner-1', now: now + 1 }
      await store().commit(acceptRequest(request(`${appId}/a`, appId), slot))
      const found = await store().read(requestById(`${appId}/a`))
      expect(found).toMatchObject({ state: 'running', attempt: 1, runnerId: 'runner-1', startedAt: now + 1 })
    })

    test('an id is accepted once', async () => {
      await newApp()
      await accept('a')
      await expect(accept('a')).rejects.toThrow(/unique/i)
      expect(await unfinished()).toEqual(['a'])
    })

    test('an attempt starts once', async () => {
      await newApp()
      await accept('a')
      const start = { requestId: `${appId}/a`, attempt: 1, runnerId: 'runner-1', now }
      const won = await Promise.all(
        [start, { ...start, runnerId: 'runner-2' }].map((one) => store().commit(startAttempt(one))),
      )
      expect(won).toEqual([true, false])
      expect(await store().read(requestById(`${appId}/a`))).toMatchObject({ runnerId: 'runner-1' })
    })

    test('the first outcome is the only one', async () => {
      await newApp()
      await accept('a')
      const requestId = `${appId}/a`
      await store().commit(startAttempt({ requestId, attempt: 1, runnerId: 'runner-1', now }))
      const finish = (text: string) => finishAttempt({ requestId, attempt: 1, outcome: answered(text), now: now + 5 })
      const won = await Promise.all(['first', 'second'].map((text) => store().commit(finish(text))))
      expect(won).toEqual([true, false])
      expect(await store().read(resultOf(requestId))).toMatchObject({ status: 200, headers: [['a', 'b']] })
      expect(await textOfResult(store(), requestId)).toBe('first')
    })

    test('the outcome of an attempt that is no longer current is dropped', async () => {
      await newApp()
      await accept('a')
      const requestId = `${appId}/a`
      await store().commit(startAttempt({ requestId, attempt: 1, runnerId: 'runner-1', now }))
      await store().commit(retryLater({ requestId, attempt: 1, dueAt: now + 10, used: {} }))
      await store().commit(startAttempt({ requestId, attempt: 2, runnerId: 'runner-2', now }))
      const late = finishAttempt({ requestId, attempt: 1, outcome: answered('late'), now })
      const current = finishAttempt({ requestId, attempt: 2, outcome: answered('current'), now })
      expect(await store().commit(late)).toBe(false)
      expect(await store().commit(current)).toBe(true)
      expect(await textOfResult(store(), requestId)).toBe('current')
    })

    test('a cancellation ends what waits, asks what runs, and comes too late for the rest', async () => {
      await newApp()
      await Promise.all(['waiting', 'running'].map(accept))
      await store().commit(startAttempt({ requestId: `${appId}/running`, attempt: 1, runnerId: 'runner-1', now }))
      const cancel = (id: string) =>
        store().commit(requestCancel({ requestId: `${appId}/${id}`, outcome: cancelled, now }))
      expect(await cancel('waiting')).toBe('ended')
      expect(await cancel('running')).toBe('asked')
      expect(await cancel('waiting')).toBe('too_late')
      expect(await store().commit(retryLater({ requestId: `${appId}/running`, attempt: 1, dueAt: 0, used: {} }))).toBe(
        false,
      )
    })

    test('a deadline ends what still waits, and leaves what runs alone', async () => {
      await newApp()
      await Promise.all(['waiting', 'running'].map(accept))
      await store().commit(startAttempt({ requestId: `${appId}/running`, attempt: 1, runnerId: 'runner-1', now }))
      const end = (id: string) =>
        store().commit(completeWaiting({ requestId: `${appId}/${id}`, outcome: cancelled, now }))
      expect([await end('waiting'), await end('running')]).toEqual([true, false])
      expect(await store().read(resultOf(`${appId}/running`))).toBeUndefined()
    })

    test('what waits is counted by caller, and read page by page', async () => {
      await newApp()
      const seqs = await Promise.all(['a', 'b', 'c'].map(accept))
      await store().commit(startAttempt({ requestId: `${appId}/a`, attempt: 1, runnerId: 'runner-1', now }))
      expect(await store().read(waitingByCaller(appId))).toEqual([{ callerId: 'caller', count: 2 }])
      const page = (more: object, after = 0) =>
        store().read(waitingRequests({ appId, acceptedBy: now, ...more }, after, 1))
      expect(await page({})).toEqual([{ id: `${appId}/b`, seq: seqs[1] }])
      expect(await page({ callerId: 'caller' }, seqs[1])).toEqual([{ id: `${appId}/c`, seq: seqs[2] }])
      expect(await page({ callerId: 'somebody else' })).toEqual([])
      expect(await page({ acceptedBy: now - 1 })).toEqual([])
    })

    test('all that waits for an app can be ended in steps', async () => {
      await newApp()
      await Promise.all(['a', 'b', 'c'].map(accept))
      const step = () => store().commit(completeWaitingOf(appId, { outcome: cancelled, now, limit: 2 }))
      expect([await step(), await step(), await step()]).toEqual([2, 1, 0])
      expect(await store().read(resultOf(`${appId}/c`))).toMatchObject({ status: 400 })
    })
  })
}

async function textOfResult(store: Store, id: string): Promise<string> {
  const result = await store.read(resultOf(id))
  return result && 'inline' in result.body ? Buffer.from(result.body.inline).toString() : ''
}
