import { beforeEach, describe, expect, test } from 'vitest'
import type { NewRequest, Outcome } from '../../domain/request.ts'
import { addTestApp } from '../../testing/store.ts'
import {
  acceptRequest,
  completeWaiting,
  completeWaitingOf,
  finishAttempt,
  requestCancel,
  retryLater,
  startAttempt,
} from '../requests.ts'
import type { Store } from '../store.ts'
import {
  countDueWebhooks,
  dueWebhooks,
  nextWebhookAt,
  recordDelivery,
  resendWebhook,
  webhooksOfAccount,
} from '../webhooks.ts'

const now = 1_800_000_000_000
const accountId = 'account-1'
const outcome: Outcome = { status: 200, headers: [], body: { inline: new Uint8Array([1]) } }
const slot = { runnerId: 'runner-1', now }

/** Webhooks, on whichever engine. */
export function describeWebhooks(store: () => Store): void {
  describe('holds webhooks:', () => {
    let apps = 0
    let appId = ''
    // Each test has an app of its own; what others left due is made to be over.
    beforeEach(async () => {
      appId = await addTestApp(store(), { id: `hooks-${(apps += 1)}`, name: `hooks-${apps}` })
      for (const { requestId, attempts } of await due(Number.MAX_SAFE_INTEGER))
        await store().commit(
          recordDelivery({ requestId, attempt: attempts + 1, state: 'delivered', now, said: '', status: 200 }),
        )
    })

    const request = (name: string, url: string | undefined): NewRequest => ({
      id: `${appId}/${name}`,
      appId,
      priority: 'normal',
      acceptedAt: now,
      retry: { forbidden: false, budgets: {} },
      payload: { method: 'POST', path: '/', headers: [], body: { inline: new Uint8Array() }, callerId: 'caller' },
      ...(url !== undefined && { webhook: { url, accountId } }),
    })
    const accept = (name: string, running = false, url: string | undefined = `https://example.com/${name}`) =>
      store().commit(acceptRequest(request(name, url), running ? slot : undefined))
    const due = (at = now, busy: readonly string[] = [], limit = 100) => store().read(dueWebhooks(at, busy, limit))
    const dueNames = async (at = now) => (await due(at)).map(({ requestId }) => requestId.slice(appId.length + 1))
    const one = async (name: string) =>
      (await store().read(webhooksOfAccount(accountId, { requestId: `${appId}/${name}`, limit: 1 })))[0]
    const finish = (name: string, attempt = 1, hasWebhook?: boolean) =>
      store().commit(finishAttempt({ requestId: `${appId}/${name}`, attempt, outcome, now, hasWebhook }))

    test('one is stored with its request and waits for the outcome; a request without one has none', async () => {
      await accept('with')
      await store().commit(acceptRequest(request('without', undefined)))
      expect(await one('with')).toMatchObject({ state: 'waiting', attempts: 0, url: 'https://example.com/with' })
      expect(await one('without')).toBeUndefined()
      expect(await due()).toEqual([])
    })

    test('a request that is not accepted leaves none', async () => {
      await accept('twice', false, 'https://example.com/first')
      await expect(accept('twice', false, 'https://example.com/second')).rejects.toThrow(/unique/i)
      expect(await one('twice')).toMatchObject({ url: 'https://example.com/first' })
    })

    const id = (name: string) => `${appId}/${name}`
    const ways: Record<string, { running: boolean; end: (name: string) => Promise<unknown> }> = {
      'the outcome of its attempt': { running: true, end: (name) => finish(name) },
      'a deadline, or a flush': {
        running: false,
        end: (name) => store().commit(completeWaiting({ requestId: id(name), outcome, now })),
      },
      'a cancellation while it waits': {
        running: false,
        end: (name) => store().commit(requestCancel({ requestId: id(name), outcome, now })),
      },
      'the end of its app': {
        running: false,
        end: () => store().commit(completeWaitingOf(appId, { outcome, now, limit: 10 })),
      },
    }
    test.each(Object.keys(ways))('it is due with %s, and not before', async (way) => {
      const { running, end } = ways[way]!
      await accept('r', running)
      expect(await dueNames()).toEqual([])
      await end('r')
      expect(await due()).toEqual([
        { requestId: id('r'), accountId, url: 'https://example.com/r', host: 'example.com', attempts: 0 },
      ])
    })

    test('what ends no request makes none due', async () => {
      await Promise.all([accept('asked', true), accept('again', true), accept('late', true), accept('waits')])
      await store().commit(requestCancel({ requestId: id('asked'), outcome, now }))
      await store().commit(retryLater({ requestId: id('again'), attempt: 1, dueAt: now, used: {} }))
      expect(await finish('late', 2)).toBe(false)
      await store().commit(completeWaiting({ requestId: id('late'), outcome, now }))
      expect(await dueNames()).toEqual([])
      await store().commit(startAttempt({ requestId: id('again'), attempt: 2, ...slot }))
      await finish('again', 2)
      expect(await dueNames()).toEqual(['again'])
    })

    test('the end of an app in steps makes those due that it ended', async () => {
      await accept('a')
      await accept('b')
      await accept('c')
      await store().commit(completeWaitingOf(appId, { outcome, now, limit: 2 }))
      expect((await dueNames()).toSorted()).toEqual(['a', 'b'])
    })

    test('a second outcome does not make it due again', async () => {
      await accept('r', true)
      await finish('r')
      await store().commit(recordDelivery({ requestId: id('r'), attempt: 1, state: 'delivered', now, said: 'ok' }))
      await finish('r')
      await store().commit(requestCancel({ requestId: id('r'), outcome, now }))
      expect(await one('r')).toMatchObject({ state: 'delivered' })
    })

    test('what is due comes longest due first, but for busy hosts', async () => {
      await accept('one', true, 'https://slow.example:8443/')
      await accept('two', true, 'https://quick.example/')
      await finish('one')
      await finish('two')
      expect((await due(now, ['slow.example:8443'])).map(({ host }) => host)).toEqual(['quick.example'])
      expect(await due(now, [], 1)).toHaveLength(1)
      expect(await due(now - 1)).toEqual([])
      expect(await store().read(countDueWebhooks())).toBe(2)
    })

    test('a delivery that failed is due at its moment, and only its newest end counts', async () => {
      await accept('r', true)
      await finish('r')
      const ended = {
        requestId: id('r'),
        attempt: 1,
        state: 'due',
        dueAt: now + 5,
        now,
        status: 503,
        said: 'no',
      } as const
      expect(await store().commit(recordDelivery(ended))).toBe(true)
      expect(await store().commit(recordDelivery(ended))).toBe(false)
      expect(await due(now + 4)).toEqual([])
      expect(await store().read(nextWebhookAt(now))).toBe(now + 5)
      expect(await due(now + 5)).toMatchObject([{ attempts: 1 }])
      expect(await store().read(nextWebhookAt(now + 5))).toBeUndefined()
      expect(await one('r')).toMatchObject({ attempts: 1, dueAt: now + 5, triedAt: now, status: 503, said: 'no' })
    })

    test('it can be sent again once there is an outcome, by its own account', async () => {
      await accept('r', true)
      expect(await store().commit(resendWebhook(accountId, id('r'), now))).toBe(false)
      await finish('r')
      await store().commit(recordDelivery({ requestId: id('r'), attempt: 1, state: 'failed', now, said: '' }))
      expect(await store().commit(resendWebhook('somebody else', id('r'), now))).toBe(false)
      expect(await store().commit(resendWebhook(accountId, id('r'), now + 1))).toBe(true)
      expect(await due(now + 1)).toMatchObject([{ attempts: 0 }])
    })

    test('an account has its own, newest first, page by page, by state', async () => {
      await accept('a', true)
      await accept('b')
      await finish('a')
      const list = async (filter: object) =>
        (await store().read(webhooksOfAccount(accountId, { limit: 2, ...filter }))).map(({ requestId }) => requestId)
      expect(await list({ before: `${appId}/~` })).toEqual([id('b'), id('a')])
      expect(await list({ before: id('b'), limit: 1 })).toEqual([id('a')])
      expect(await list({ before: `${appId}/~`, state: 'due' })).toEqual([id('a')])
      expect(await store().read(webhooksOfAccount('somebody else', { limit: 10 }))).toEqual([])
    })

    test('an outcome of a request that is known to have no webhook asks for none', () => {
      const statements = (hasWebhook: boolean | undefined) =>
        finishAttempt({ requestId: 'r', attempt: 1, outcome, now, hasWebhook }).statements.length
      expect([statements(false), statements(true), statements(undefined)]).toEqual([2, 3, 3])
      expect(acceptRequest(request('plain', undefined)).statements).toHaveLength(2)
    })
  })
}
