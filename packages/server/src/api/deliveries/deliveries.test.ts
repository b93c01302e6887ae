import { beforeEach, expect, test } from 'vitest'
import { addTestApp } from '../../testing/store.ts'
import { openTestControl, type TestControl } from '../../testing/control.ts'
import { acceptRequest, completeWaiting } from '../../store/requests.ts'
import { recordDelivery } from '../../store/webhooks.ts'

const at = 1_800_000_000_000
let now = at
let control: TestControl

beforeEach(async () => {
  now = at
  control = await openTestControl({ clock: { now: () => now } })
  await addTestApp(control.store, { id: 'hello', accountId: 'account-ann' })
  for (const id of ['request-1', 'request-2', 'request-3']) await accept(id)
  return () => control[Symbol.asyncDispose]()
})

const accept = (id: string) =>
  control.store.commit(
    acceptRequest({
      id,
      appId: 'hello',
      priority: 'normal',
      acceptedAt: at,
      retry: { forbidden: false, budgets: {} },
      payload: { method: 'POST', path: '/', headers: [], body: { inline: new Uint8Array() }, callerId: 'account-ann' },
      webhook: { url: `https://example.com/${id}`, accountId: 'account-ann' },
    }),
  )
const end = (requestId: string) =>
  control.store.commit(
    completeWaiting({ requestId, outcome: { status: 200, headers: [], body: { inline: new Uint8Array() } }, now: at }),
  )
const list = async (query = '') =>
  (await control.rest(`/v1/serverless/webhooks${query}`)).body as { webhooks: object[]; next_cursor: string | null }
const resend = (id: string, key = control.keys.ann) =>
  control.rest(`/v1/serverless/webhooks/${id}/resend`, { method: 'POST', key })

test('they are listed newest first, page by page, by state and by request', async () => {
  await end('request-2')
  expect(await list()).toMatchObject({
    webhooks: [
      { request_id: 'request-3', state: 'waiting', attempts: 0, next_attempt_at: null, last_answer: null },
      { request_id: 'request-2', state: 'due', next_attempt_at: new Date(at).toISOString() },
      { request_id: 'request-1', url: 'https://example.com/request-1', last_status_code: null },
    ],
    has_more: false,
  })
  const page = await list('?limit=2')
  expect(page).toMatchObject({ next_cursor: 'request-2', has_more: true })
  expect((await list(`?limit=2&cursor=${page.next_cursor}`)).webhooks).toMatchObject([{ request_id: 'request-1' }])
  expect((await list('?state=due')).webhooks).toMatchObject([{ request_id: 'request-2' }])
  expect((await list('?request_id=request-3')).webhooks).toMatchObject([{ request_id: 'request-3' }])
  expect((await control.rest('/v1/serverless/webhooks?state=lost')).status).toBe(400)
})

test('one that failed is sent again, which is recorded', async () => {
  await end('request-1')
  await control.store.commit(
    recordDelivery({ requestId: 'request-1', attempt: 1, state: 'failed', now: at, status: 301, said: 'moved' }),
  )
  expect((await list('?state=failed')).webhooks).toMatchObject([{ last_status_code: 301, last_answer: 'moved' }])
  now = at + 1_000
  expect(await resend('request-1')).toMatchObject({
    status: 200,
    body: { state: 'due', attempts: 0, next_attempt_at: new Date(now).toISOString() },
  })
  expect((await control.rest('/v1/events?action=resend_webhook')).body).toMatchObject({
    events: [{ subject: 'request-1', outcome: 'done' }],
  })
})

test('what has no outcome, or is of somebody else, is not sent', async () => {
  expect(await resend('request-1')).toMatchObject({
    status: 400,
    body: { error: { message: expect.stringContaining('no outcome yet') as string } },
  })
  await end('request-1')
  expect((await resend('request-1', control.keys.bob)).status).toBe(404)
  expect((await resend('request-9')).status).toBe(404)
})

test('the public keys are there for everybody, and may be cached', async () => {
  const answer = await control.restRaw('/.well-known/jwks.json', { headers: { origin: 'https://app.example' } })
  expect(answer.headers.get('cache-control')).toBe('public, max-age=3600')
  expect(answer.headers.get('access-control-allow-origin')).toBe('*')
  expect(await answer.json()).toMatchObject({ keys: [{ kty: 'OKP', crv: 'Ed25519' }, { kty: 'OKP' }] })
  expect((await control.rest('/.well-known/jwks.json', { key: null })).status).toBe(200)
})
