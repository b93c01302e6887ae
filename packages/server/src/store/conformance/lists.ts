import { describe, expect, test } from 'vitest'
import type { NewRequest, Outcome } from '../../domain/request.ts'
import { addTestApp } from '../../testing/store.ts'
import { payloadOf } from '../bodies.ts'
import { acceptOnce, requestNamed } from '../idempotency.ts'
import { attemptsOf, endedRequests, listedRequestById, openRequests } from '../request-lists.ts'
import { acceptRequest, completeWaiting, finishAttempt, requestById, retryLater, startAttempt } from '../requests.ts'
import { acceptRetry, originalOf, retriesOf } from '../retries.ts'
import { done, read, sql, write } from '../sql.ts'
import type { Store } from '../store.ts'
import { webhooksOfAccount } from '../webhooks.ts'

const now = 1_800_000_000_000
const slot = { runnerId: 'runner-1', now }
const all = { from: 0, to: Number.MAX_SAFE_INTEGER }
const top = { finishedAt: Number.MAX_SAFE_INTEGER, seq: Number.MAX_SAFE_INTEGER }
const cancelled: Outcome = { ...outcomeOf(499), error: { code: 'client_cancelled', message: 'cancelled' } }
const lost: Outcome = { ...outcomeOf(503), error: { code: 'runner_disconnected', message: 'gone' } }

function outcomeOf(status: number): Outcome {
  return { status, headers: [], body: { inline: new Uint8Array() } }
}

/** Names of submits, dead letters, retries and lists, on whichever engine. */
export function describeRequestLists(store: () => Store): void {
  // Each test has an app of its own, so that none sees another's requests.
  let apps = 0
  const newApp = () => addTestApp(store(), { id: `listed-${(apps += 1)}`, name: `listed-${apps}` })
  const requestOf = (appId: string, id: string, more: Partial<NewRequest['payload']> = {}): NewRequest => {
    const body = { inline: new TextEncoder().encode(`body of ${id}`) }
    const payload = { method: 'POST', path: `/${id}`, headers: [], callerId: 'caller', body, ...more }
    const retry = { forbidden: false, budgets: { timeout: 1 } }
    return { id: `${appId}/${id}`, appId, priority: 'low', acceptedAt: now, retry, startBy: now + 9, payload }
  }
  const rowsOf = async (table: 'request' | 'request_body' | 'attempt', id: string) => {
    const query = {
      request: sql`select * from request where id = ${id}`,
      request_body: sql`select * from request_body where request_id = ${id}`,
      attempt: sql`select * from attempt where request_id = ${id}`,
    }[table]
    return store().read(read(query, (row) => ({ ...row, seq: 0, id: '', request_id: '' })))
  }

  describe('a submit with a name', () => {
    const name = { key: 'k', fingerprint: 'one' }

    test('is stored like any other', async () => {
      const appId = await newApp()
      const request = requestOf(appId, 'a')
      expect(await store().commit(acceptOnce(request, name, slot))).toEqual(expect.any(Number))
      await store().commit(acceptRequest({ ...request, id: `${appId}/plain` }, slot))
      for (const table of ['request', 'request_body', 'attempt'] as const)
        expect(await rowsOf(table, `${appId}/a`)).toEqual(await rowsOf(table, `${appId}/plain`))
    })

    test('is one request, however often and at once it is sent, and the others leave nothing', async () => {
      const appId = await newApp()
      const ids = Array.from({ length: 20 }, (_, i) => `r${i}`)
      const ends = await Promise.all(
        ids.map((id, i) => store().commit(acceptOnce(requestOf(appId, id), name, i % 2 === 0 ? slot : undefined))),
      )
      const first = { requestId: `${appId}/r0`, fingerprint: 'one' }
      expect(ends).toEqual([expect.any(Number), ...Array.from({ length: 19 }, () => first)])
      for (const table of ['request', 'request_body', 'attempt'] as const)
        for (const id of ids.slice(1)) expect(await rowsOf(table, `${appId}/${id}`)).toEqual([])
      expect(await store().read(requestNamed({ appId, callerId: 'caller' }, 'k'))).toEqual(first)
    })

    test('of another caller, or to another app, is another request', async () => {
      const [appId, otherApp] = [await newApp(), await newApp()]
      const others = [requestOf(appId, 'a'), requestOf(appId, 'b', { callerId: 'other' }), requestOf(otherApp, 'c')]
      const seqs = await Promise.all(others.map((request) => store().commit(acceptOnce(request, name))))
      expect(seqs).toEqual([expect.any(Number), expect.any(Number), expect.any(Number)])
    })

    test('is answered with what was named first, whatever it holds itself', async () => {
      const appId = await newApp()
      await store().commit(acceptOnce(requestOf(appId, 'a'), name))
      const other = await store().commit(acceptOnce(requestOf(appId, 'b'), { key: 'k', fingerprint: 'two' }))
      expect(other).toEqual({ requestId: `${appId}/a`, fingerprint: 'one' })
    })

    test('has its name for as long as the request is there', async () => {
      const appId = await newApp()
      await store().commit(acceptOnce(requestOf(appId, 'a'), name))
      await store().commit(write([sql`delete from request where id = ${`${appId}/a`}`], done))
      expect(await store().read(requestNamed({ appId, callerId: 'caller' }, 'k'))).toBeUndefined()
      expect(await store().commit(acceptOnce(requestOf(appId, 'b'), name))).toEqual(expect.any(Number))
    })

    test('that cannot be stored leaves its name free', async () => {
      const appId = await newApp()
      await store().commit(acceptRequest(requestOf(appId, 'a')))
      await expect(store().commit(acceptOnce(requestOf(appId, 'a'), name))).rejects.toThrow(/unique/i)
      expect(await store().read(requestNamed({ appId, callerId: 'caller' }, 'k'))).toBeUndefined()
    })
  })

  describe('lists', () => {
    test('what is open and what has ended, each the last one first, page by page', async () => {
      const appId = await newApp()
      const names = ['a', 'b', 'c', 'd', 'e', 'f']
      const seqs = await Promise.all(names.map((id) => store().commit(acceptRequest(requestOf(appId, id)))))
      const run = (id: string, outcome: Outcome, at: number, dead = false) =>
        store()
          .commit(startAttempt({ requestId: `${appId}/${id}`, attempt: 1, runnerId: 'runner-1', now }))
          .then(() =>
            store().commit(finishAttempt({ requestId: `${appId}/${id}`, attempt: 1, outcome, now: at, dead })),
          )
      await run('b', outcomeOf(200), now + 20)
      await run('a', outcomeOf(422), now + 30)
      await run('c', lost, now + 30, true)
      await store().commit(completeWaiting({ requestId: `${appId}/d`, outcome: cancelled, now: now + 10 }))

      const ids = (found: readonly { readonly id: string }[]) => found.map(({ id }) => id.slice(appId.length + 1))
      expect(ids(await store().read(openRequests(appId, Number.MAX_SAFE_INTEGER, 1)))).toEqual(['f'])
      expect(ids(await store().read(openRequests(appId, seqs[5] ?? 0, 9)))).toEqual(['e'])
      const ended = async (which: 'all' | 'failed' | 'dead', after = top, window = all) =>
        store().read(endedRequests(appId, which, window, { after, limit: 3 }))
      const first = await ended('all')
      expect(ids(first)).toEqual(['c', 'a', 'b'])
      const { finishedAt = 0, seq = 0 } = first[1] ?? {}
      expect(ids(await ended('all', { finishedAt, seq }))).toEqual(['b', 'd'])
      expect(ids(await ended('failed'))).toEqual(['c', 'a', 'd'])
      expect(ids(await ended('all', top, { from: now + 10, to: now + 30 }))).toEqual(['b', 'd'])
      expect(await ended('dead')).toMatchObject([
        {
          id: `${appId}/c`,
          dead: true,
          input: { path: '/c', callerId: 'caller', bytes: `body of c`.length, kept: true },
        },
      ])
    })

    test('a dead letter is one only when that was its outcome', async () => {
      const appId = await newApp()
      const requestId = `${appId}/a`
      await store().commit(acceptRequest(requestOf(appId, 'a'), slot))
      const finish = (attempt: number, outcome: Outcome, dead: boolean) =>
        store().commit(finishAttempt({ requestId, attempt, outcome, now, dead }))
      expect(await finish(2, lost, true)).toBe(false)
      expect(await finish(1, outcomeOf(200), false)).toBe(true)
      expect(await finish(1, lost, true)).toBe(false)
      expect(await store().read(listedRequestById(requestId))).toMatchObject({ dead: false, status: 200 })
    })

    test('attempts say how they failed, once', async () => {
      const appId = await newApp()
      const requestId = `${appId}/a`
      await store().commit(acceptRequest(requestOf(appId, 'a'), slot))
      const failed = { at: now + 1, status: 503, code: 'runner_disconnected' } as const
      await store().commit(retryLater({ requestId, attempt: 1, dueAt: 0, used: {}, failed }))
      await store().commit(startAttempt({ requestId, attempt: 2, runnerId: 'runner-2', now: now + 2 }))
      const late = { at: now + 9, status: 504 } as const
      await store().commit(retryLater({ requestId, attempt: 1, dueAt: 0, used: {}, failed: late }))
      expect(await store().read(attemptsOf(requestId))).toEqual([
        {
          number: 1,
          runnerId: 'runner-1',
          startedAt: now,
          failedAt: now + 1,
          failedStatus: 503,
          failedCode: failed.code,
        },
        { number: 2, runnerId: 'runner-2', startedAt: now + 2 },
      ])
    })
  })

  describe('a retry', () => {
    const retry = (appId: string, id: string, original: string) =>
      store().commit(
        acceptRetry({ id: `${appId}/${id}`, appId, original: `${appId}/${original}`, keyId: 'key-2', now: now + 5 }),
      )

    test('has the webhook of the first one, which is due with its own outcome', async () => {
      const appId = await newApp()
      const webhook = { url: 'https://example.com/hook', accountId: 'account-1' }
      await store().commit(acceptRequest({ ...requestOf(appId, 'a'), webhook }))
      await store().commit(completeWaiting({ requestId: `${appId}/a`, outcome: lost, now }))
      await retry(appId, 'b', 'a')
      const stateOf = async () => {
        const kept = await store().read(webhooksOfAccount('account-1', { requestId: `${appId}/b`, limit: 1 }))
        return kept[0]?.state
      }
      expect(await stateOf()).toBe('waiting')
      await store().commit(completeWaiting({ requestId: `${appId}/b`, outcome: outcomeOf(200), now: now + 9 }))
      expect(await stateOf()).toBe('due')
      expect(await store().read(originalOf(`${appId}/b`))).toBe(`${appId}/a`)
      expect(await store().read(originalOf(`${appId}/a`))).toBeUndefined()
    })

    test.each(['', 'text'])(
      'is a new request with the same input ("%s"), as often as it is asked for',
      async (text) => {
        const appId = await newApp()
        const body = { inline: new TextEncoder().encode(text) }
        await store().commit(acceptRequest(requestOf(appId, 'a', { body }), slot))
        await store().commit(finishAttempt({ requestId: `${appId}/a`, attempt: 1, outcome: lost, now, dead: true }))
        const again = await retry(appId, 'b', 'a')
        expect(again).toMatchObject({
          id: `${appId}/b`,
          priority: 'low',
          attempt: 0,
          retry: { budgets: { timeout: 1 } },
        })
        expect(again?.startBy).toBeUndefined()
        await retry(appId, 'c', 'a')
        expect(await store().read(retriesOf(`${appId}/a`, 9))).toEqual([`${appId}/b`, `${appId}/c`])
        expect(await store().read(payloadOf(`${appId}/b`))).toEqual(await store().read(payloadOf(`${appId}/a`)))
        expect(await store().read(listedRequestById(`${appId}/b`))).toMatchObject({
          state: 'waiting',
          retriedFrom: `${appId}/a`,
          keyId: 'key-2',
          acceptedAt: now + 5,
          dead: false,
        })
      },
    )

    test('of one that has not ended, or whose input is gone, or of another app stores nothing', async () => {
      const [appId, other] = [await newApp(), await newApp()]
      await store().commit(acceptRequest(requestOf(appId, 'open')))
      await store().commit(acceptRequest(requestOf(appId, 'a'), slot))
      await store().commit(finishAttempt({ requestId: `${appId}/a`, attempt: 1, outcome: lost, now }))
      expect(await retry(appId, 'b', 'open')).toBeUndefined()
      const foreign = { id: `${other}/b`, appId: other, original: `${appId}/a`, keyId: 'key-2', now }
      expect(await store().commit(acceptRetry(foreign))).toBeUndefined()
      await store().commit(write([sql`update request_body set body = null where request_id = ${`${appId}/a`}`], done))
      expect(await store().read(listedRequestById(`${appId}/a`))).toMatchObject({ input: { kept: false } })
      expect(await retry(appId, 'c', 'a')).toBeUndefined()
      await store().commit(write([sql`delete from request_body where request_id = ${`${appId}/a`}`], done))
      expect(await retry(appId, 'd', 'a')).toBeUndefined()
      for (const id of ['b', 'c', 'd']) expect(await store().read(requestById(`${appId}/${id}`))).toBeUndefined()
      expect(await store().read(payloadOf(`${appId}/b`))).toBeUndefined()
    })
  })
}
