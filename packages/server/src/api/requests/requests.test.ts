import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { failedOutcome } from '../../domain/outcome.ts'
import type { Outcome } from '../../domain/request.ts'
import { acceptRequest, finishAttempt, retryLater, startAttempt } from '../../store/requests.ts'
import { done, sql, write } from '../../store/sql.ts'
import { openTestControl, type TestControl } from '../../testing/control.ts'
import { checkerOf } from '../../testing/openapi.ts'
import { addTestAccount, addTestApp } from '../../testing/store.ts'

let control: TestControl
let check: ReturnType<typeof checkerOf>
let key: string
let start = 0
/** Each test has an app of its own, so that none sees another's requests. */
let apps = 0
let name = ''
let appId = ''
const lost = failedOutcome({ code: 'runner_disconnected', message: 'The runner went away' })

beforeAll(async () => {
  control = await openTestControl({ queueLimit: 5 })
  check = checkerOf((await control.rest('/v1/openapi.json')).body)
  await addTestAccount(control.store, { id: 'account-1', nickname: 'eve' })
  start = control.clock.now() - 10_000
  key = await keyOf('requests:read', 'apps:write', 'events:read')
  return () => control[Symbol.asyncDispose]()
})

async function newApp(): Promise<void> {
  name = appId = `app-${(apps += 1)}`
  await addTestApp(control.store, { id: appId, name })
  await control.apps.refresh()
}

const list = () => `/v1/serverless/apps/eve/${name}/requests`

async function keyOf(...permissions: Parameters<typeof control.keyring.mint>[1]): Promise<string> {
  const { keyId, secret } = await control.keyring.mint('account-1', permissions, 'eve')
  return `${keyId}:${secret}`
}

/** An answer, which must be what the OpenAPI document promises. */
async function ask(path: string, asked: Parameters<TestControl['rest']>[1] = {}) {
  const { status, body } = await control.rest(path, { key, ...asked })
  expect(check({ method: asked.method ?? 'GET', path, status, body })).toBeUndefined()
  return { status, body: body as never }
}

interface Made {
  readonly path?: string
  readonly callerId?: string
  readonly keyId?: string
  /** Without one it waits. */
  readonly outcome?: Outcome
  readonly at?: number
  readonly dead?: boolean
}

async function make(id: string, { path = '/', callerId = 'account-1', keyId = 'key-1', ...made }: Made = {}) {
  const { outcome, at = 0, dead = false } = made
  const payload = { method: 'POST', path, headers: [], body: { inline: Buffer.from('{"a":1}') }, callerId }
  const retry = { forbidden: false, budgets: {} }
  const request = { id, appId, keyId, priority: 'normal' as const, acceptedAt: start + at, retry, payload }
  await control.store.commit(acceptRequest(request))
  if (outcome === undefined) return
  await control.store.commit(startAttempt({ requestId: id, attempt: 1, runnerId: 'runner-1', now: start + at }))
  await control.store.commit(finishAttempt({ requestId: id, attempt: 1, outcome, now: start + at + 1, dead }))
}

const answered = (status: number): Outcome => ({ status, headers: [], body: { inline: new Uint8Array() } })

async function idsOf(query: string): Promise<readonly string[]> {
  const { status, body } = await ask(`${list()}?${query}`)
  expect(status).toBe(200)
  return (body as { requests: { request_id: string }[] }).requests.map(({ request_id }) => request_id)
}

describe('the list', () => {
  beforeAll(async () => {
    await newApp()
    await make('fine', { at: 10, outcome: answered(200), path: '/generate/fast?x=1' })
    await make('wrong', { at: 20, outcome: answered(422), callerId: 'hash-of-bob', keyId: 'key-of-bob' })
    await make('dead', { at: 30, outcome: lost, dead: true, path: '/generate' })
    await make('waits', { at: 40 })
    await make('waits-too', { at: 50, callerId: 'hash-of-bob' })
  })

  test.each([
    ['', ['waits-too', 'waits', 'dead', 'wrong', 'fine']],
    ['status=IN_QUEUE', ['waits-too', 'waits']],
    ['status=IN_PROGRESS', []],
    ['status=COMPLETED', ['dead', 'wrong', 'fine']],
    ['status=succeeded', ['fine']],
    ['status=FAILED', ['dead', 'wrong']],
    ['status=DEAD', ['dead']],
    ['error=runner_disconnected', ['dead']],
    ['endpoint=generate', ['dead', 'fine']],
    ['endpoint=/generate/fast', ['fine']],
    ['caller=eve', ['waits', 'dead', 'fine']],
    ['caller=hash-of-bob', ['waits-too', 'wrong']],
    ['key=key-1&status=completed', ['dead', 'fine']],
    ['key=key-of-bob', []],
  ])('%s', async (query, ids) => expect(await idsOf(query)).toEqual(ids))

  test('is cut to a window: of the end, or of the submit of those that are open', async () => {
    const iso = (at: number) => new Date(start + at).toISOString()
    expect(await idsOf(`since=${iso(21)}&until=${iso(50)}`)).toEqual(['waits', 'dead', 'wrong'])
    expect(await idsOf(`since=${iso(41)}`)).toEqual(['waits-too'])
  })

  test('is read page by page, across what is open and what has ended, and the last page says so', async () => {
    const seen: string[] = []
    let cursor = ''
    for (let pages = 1; ; pages += 1) {
      const { body } = await ask(`${list()}?limit=2&cursor=${cursor}`)
      const page: { requests: { request_id: string }[]; next_cursor: string | null; has_more: boolean } = body
      seen.push(...page.requests.map(({ request_id }) => request_id))
      expect(page.has_more).toBe(page.next_cursor !== null)
      if (page.next_cursor === null) {
        expect(pages).toBe(3)
        break
      }
      cursor = page.next_cursor
    }
    expect(seen).toEqual(['waits-too', 'waits', 'dead', 'wrong', 'fine'])
  })

  test("has the times, the error, the caller and the priority, and no key of another's", async () => {
    const { body } = await ask(`${list()}?status=failed`)
    expect(body).toMatchObject({
      requests: [
        {
          request_id: 'dead',
          endpoint_id: `eve/${name}/generate`,
          status: 'COMPLETED',
          status_code: 503,
          error_type: 'runner_disconnected',
          error: 'The runner went away',
          dead: true,
          priority: 'normal',
          attempts: 1,
          caller: 'eve',
          key_id: 'key-1',
          sent_at: new Date(start + 30).toISOString(),
          ended_at: new Date(start + 31).toISOString(),
          runner_id: 'runner-1',
          retried_from: null,
        },
        { request_id: 'wrong', caller: 'hash-of-bob', key_id: null, error_type: null, dead: false },
      ],
    })
  })

  test("has a second address, where the queue's door leads, whose refusals are in that door's words", async () => {
    const other = `/applications/eve/${name}/requests`
    expect(await control.rest(`${other}?status=dead`, { key })).toEqual(await ask(`${list()}?status=dead`))
    expect(await control.rest(other, { key: control.keys.bob })).toMatchObject({
      status: 404,
      body: { error_type: 'app_not_found' },
    })
  })

  test.each(['status=lost', 'limit=0', 'limit=1001', 'since=yesterday', 'cursor=x'])('%s is refused', async (query) => {
    expect(await ask(`${list()}?${query}`)).toMatchObject({ status: 400 })
  })

  test('does not exist for others, and not for a key that may not read requests', async () => {
    expect(await ask(list(), { key: control.keys.bob })).toMatchObject({ status: 404 })
    expect(await ask(list(), { key: await keyOf('apps:read', 'apps:call') })).toMatchObject({ status: 403 })
    expect(await ask(list(), { key: null })).toMatchObject({ status: 401 })
  })
})

test('a page stops looking after 10,000 requests, and the next one goes on', async () => {
  await newApp()
  const insert = sql`
    with recursive counted(n) as (select 1 union all select n + 1 from counted where n < 10100)
    insert into request (id, app_id, state, priority, retry, accepted_at, finished_at, status)
    select 'many-' || n, ${appId}, 'completed', 'normal', '{}', ${start}, ${start} + n, 200 from counted`
  await control.store.commit(write([insert], done))
  await make('oldest', { at: -1, outcome: answered(200), path: '/rare' })
  const { body } = await ask(`${list()}?endpoint=rare`)
  expect(body).toMatchObject({ requests: [], has_more: true })
  const next = await ask(`${list()}?endpoint=rare&cursor=${(body as { next_cursor: string }).next_cursor}`)
  expect(next.body).toMatchObject({ requests: [{ request_id: 'oldest' }], has_more: false })
})

describe('one request', () => {
  beforeEach(newApp)

  test('is shown with its attempts, where each ran and how it ended, its input and where its log lines are', async () => {
    await make('one', { path: '/go?x=1' })
    const first = { requestId: 'one', attempt: 1 }
    await control.store.commit(startAttempt({ ...first, runnerId: 'runner-1', now: start + 1 }))
    const failed = { at: start + 2, status: 503, code: 'runner_disconnected' } as const
    await control.store.commit(retryLater({ ...first, dueAt: 0, used: {}, failed }))
    const second = { requestId: 'one', attempt: 2 }
    await control.store.commit(startAttempt({ ...second, runnerId: 'runner-2', now: start + 3 }))
    await control.store.commit(finishAttempt({ ...second, outcome: answered(504), now: start + 4, dead: true }))
    expect(await ask('/v1/serverless/requests/one')).toMatchObject({
      status: 200,
      body: {
        request_id: 'one',
        dead: true,
        attempts: 2,
        input: { path: '/go?x=1', bytes: 7 },
        attempt_list: [
          { number: 1, runner_id: 'runner-1', ended_at: iso(2), status_code: 503, error_type: 'runner_disconnected' },
          { number: 2, runner_id: 'runner-2', ended_at: iso(4), status_code: 504, error_type: null },
        ],
        retries: [],
        logs: `/v1/serverless/logs/history?app_id=eve/${name}&request_id=one`,
      },
    })
  })

  test('does not exist for others', async () => {
    await make('another')
    for (const path of ['/v1/serverless/requests/another', '/v1/serverless/requests/none'])
      expect(await ask(path, { key: path.endsWith('another') ? control.keys.bob : key })).toMatchObject({ status: 404 })
  })
})

describe('a retry', () => {
  beforeEach(newApp)

  const retry = (id: string, more: object = {}) =>
    ask(`/v1/serverless/requests/${id}/retry`, { method: 'POST', ...more })

  test('puts a new request with the same input into the queue, and is on record', async () => {
    await make('dead-1', { outcome: lost, dead: true, callerId: 'hash-of-bob' })
    const first = await retry('dead-1')
    expect(first).toMatchObject({ status: 200, body: { endpoint_id: `eve/${name}`, retried_from: 'dead-1' } })
    const second = await retry('dead-1')
    expect(control.deps.homes.of(appId).queueLength).toBe(2)
    const [one, other] = [first, second].map(({ body }) => (body as { request_id: string }).request_id)
    expect(await ask('/v1/serverless/requests/dead-1')).toMatchObject({ body: { retries: [one, other] } })
    expect(await ask(`/v1/serverless/requests/${one}`)).toMatchObject({
      body: { status: 'IN_QUEUE', retried_from: 'dead-1', caller: 'hash-of-bob', input: { bytes: 7 }, dead: false },
    })
    expect((await control.rest('/v1/events?action=retry_request', { key })).body).toMatchObject({
      events: [
        { subject: name, outcome: 'done', detail: { request: 'dead-1', new_request: other } },
        { detail: { new_request: one } },
      ],
    })
  })

  test('of a request that has not ended is refused', async () => {
    await make('waits-2')
    expect(await retry('waits-2')).toMatchObject({ status: 409, body: { error: { code: 'request_unfinished' } } })
  })

  test('of a request whose input is kept no longer says so', async () => {
    await make('old', { outcome: lost })
    await control.store.commit(write([sql`delete from request_body where request_id = 'old'`], done))
    expect(await ask('/v1/serverless/requests/old')).toMatchObject({ body: { input: null, caller: null } })
    expect(await retry('old')).toMatchObject({
      status: 404,
      body: { error: { message: expect.stringContaining('input of request old is kept no longer') } },
    })
  })

  test('finds no room in a full queue', async () => {
    await make('dead-4', { outcome: lost, dead: true })
    for (let i = 0; i < 5; i += 1) expect((await retry('dead-4')).status).toBe(200)
    expect(await retry('dead-4')).toMatchObject({ status: 429, body: { error: { code: 'queue_full' } } })
  })

  test('is closed to others and to keys that only look or call', async () => {
    await make('dead-5', { outcome: lost, dead: true })
    expect(await retry('dead-5', { key: control.keys.bob })).toMatchObject({ status: 404 })
    expect(await retry('dead-5', { key: await keyOf('requests:read', 'apps:call') })).toMatchObject({ status: 403 })
    expect(control.deps.homes.of(appId).queueLength).toBe(0)
  })
})

const iso = (at: number) => new Date(start + at).toISOString()
