import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { openTestGateway, type TestGateway } from '../testing/gateway.ts'
import { textOf } from '../testing/runner.ts'

let gateway: TestGateway
beforeAll(async () => (gateway = await openTestGateway()))
afterAll(() => gateway[Symbol.asyncDispose]())

interface Sent {
  readonly body?: string
  readonly named?: string
  readonly key?: string | null
  readonly headers?: Record<string, string>
}

async function submit(path: string, { body = '{}', named, key, headers = {} }: Sent = {}) {
  const all = { ...headers, ...(named !== undefined && { 'idempotency-key': named }) }
  const init = { method: 'POST', body, headers: all, ...(key !== undefined && { key }) }
  const answer = await gateway.fetch(`/queue/ann/${path}`, init)
  const said: Record<string, unknown> = JSON.parse(await answer.text())
  return { status: answer.status, replayed: answer.headers.get('idempotent-replayed'), said }
}

test('the same name and body is the same request, with the same addresses, and nothing new waits', async () => {
  const { home } = await gateway.addApp('same')
  await submit('same')
  const first = await submit('same/go?x=1', { named: 'k-1' })
  const again = await submit('same/go?x=1', { named: 'k-1' })
  expect([first.status, first.replayed]).toEqual([200, null])
  expect(again).toEqual({ ...first, replayed: 'true' })
  expect(home.queueLength).toBe(2)
})

test('another body, path or query is refused with a sentence that names the request', async () => {
  const { home } = await gateway.addApp('other')
  const first = await submit('other/go', { named: 'k', body: '{"a":1}' })
  const others: readonly [path: string, body: string][] = [
    ['other/go', '{"a":2}'],
    ['other/gone', '{"a":1}'],
    ['other/go?x=1', '{"a":1}'],
    ['other/go', 'x'.repeat(100_000)],
  ]
  for (const [path, body] of others)
    expect(await submit(path, { named: 'k', body })).toMatchObject({
      status: 409,
      said: {
        error_type: 'idempotency_key_reused',
        detail: expect.stringContaining(String(first.said['request_id'])),
      },
    })
  expect(home.queueLength).toBe(1)
})

test('what is for the platform alone in headers and query does not make it another', async () => {
  await gateway.addApp('words')
  const first = await submit('words?fal_max_queue_length=5', { named: 'k' })
  const again = await submit('words', { named: 'k', headers: { 'x-fal-queue-priority': 'low' } })
  expect(again).toEqual({ ...first, replayed: 'true' })
})

test('bodies that are kept apart are told apart by all of their bytes', async () => {
  const { home } = await gateway.addApp('large')
  const [one, other] = ['1', '2'].map((end) => 'large '.repeat(20_000) + end)
  const first = await submit('large', { named: 'k', body: one! })
  expect(await submit('large', { named: 'k', body: one! })).toEqual({ ...first, replayed: 'true' })
  expect((await submit('large', { named: 'k', body: other! })).status).toBe(409)
  expect(home.queueLength).toBe(1)
})

test('of many at the same moment one is stored', async () => {
  const { home } = await gateway.addApp('crowd')
  const answers = await Promise.all(Array.from({ length: 30 }, () => submit('crowd', { named: 'k' })))
  expect(new Set(answers.map(({ said }) => said['request_id'])).size).toBe(1)
  expect(answers.filter(({ replayed }) => replayed === null)).toHaveLength(1)
  expect(home.queueLength).toBe(1)
})

test('a repeat takes no slot: what comes after it runs', async () => {
  const ran: string[] = []
  const { home } = await gateway.addApp('slots', {
    scale: { max_multiplexing: 1 },
    runner: async (req, res) => {
      ran.push(await textOf(req))
      res.end('{}')
    },
  })
  await submit('slots', { named: 'k', body: '"first"' })
  await vi.waitFor(() => expect(home.load().running).toBe(0))
  for (let i = 0; i < 3; i += 1) expect((await submit('slots', { named: 'k', body: '"first"' })).replayed).toBe('true')
  await submit('slots', { body: '"next"' })
  await vi.waitFor(() => expect(ran).toEqual(['"first"', '"next"']), { timeout: 10_000 })
})

test('names are those of one caller of one app', async () => {
  const { home } = await gateway.addApp('shared', { authMode: 'public' })
  await gateway.addApp('elsewhere')
  const ids = [
    await submit('shared', { named: 'k' }),
    await submit('shared', { named: 'k', key: gateway.keys.bob }),
    await submit('shared', { named: 'k', key: null }),
    await submit('elsewhere', { named: 'k' }),
  ].map(({ said }) => said['request_id'])
  expect(new Set(ids).size).toBe(4)
  expect(home.queueLength).toBe(3)
})

test('who calls without a key is not told of the request of somebody else without one', async () => {
  await gateway.addApp('open', { authMode: 'public' })
  const { said } = await submit('open', { named: '1', key: null })
  const other = await submit('open', { named: '1', key: null, body: '"guessed"' })
  expect(other).toMatchObject({ status: 409, said: { error_type: 'idempotency_key_reused' } })
  expect(JSON.stringify(other.said)).not.toContain(said['request_id'])
})

test('a full queue still knows what it has taken', async () => {
  await gateway.addApp('full')
  const first = await submit('full?fal_max_queue_length=0', { named: 'k' })
  expect(await submit('full?fal_max_queue_length=0', { named: 'k' })).toEqual({ ...first, replayed: 'true' })
  expect((await submit('full?fal_max_queue_length=0', { named: 'k', body: '1' })).status).toBe(409)
  expect((await submit('full?fal_max_queue_length=0', { named: 'new' })).status).toBe(429)
})

test.each([
  ['too long', 'x'.repeat(256)],
  ['empty', ''],
  ['with a space', 'a b'],
  ['that no header holds as text', 'caf\u00e9'],
])('a name %s is refused', async (_, named) => {
  expect(await submit('same', { named })).toMatchObject({ status: 400, said: { error_type: 'bad_request' } })
})

test('a name may be as long as is allowed', async () => {
  expect((await submit('same', { named: 'x'.repeat(255) })).status).toBe(200)
})

test('a request that was cancelled keeps its name', async () => {
  await gateway.addApp('cancelled')
  const first = await submit('cancelled', { named: 'k' })
  const id = String(first.said['request_id'])
  expect((await gateway.fetch(`/queue/ann/cancelled/requests/${id}/cancel`, { method: 'PUT' })).status).toBe(202)
  expect(await submit('cancelled', { named: 'k' })).toMatchObject({ status: 200, said: { request_id: id } })
})
