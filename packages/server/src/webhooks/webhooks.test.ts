import { createHash, createPublicKey, verify, type JsonWebKey } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { createSigner } from '../access/signer.ts'
import type { DeliveryLimits } from '../domain/webhook.ts'
import { publicOr } from '../domain/public-address.ts'
import { silent } from '../kit/logger.ts'
import { acceptRequest, completeWaiting } from '../store/requests.ts'
import { resendWebhook, webhooksOfAccount } from '../store/webhooks.ts'
import { addTestAccount, addTestApp, openTestStore, type TestStore } from '../testing/store.ts'
import { startWebhooks, type Webhooks } from './webhooks.ts'

const accountId = 'account-1'
const encryptionKey = new Uint8Array(32)
let now = 1_800_000_000_000
let store: TestStore
beforeEach(async () => {
  store = await openTestStore()
  await addTestAccount(store)
  await addTestApp(store)
})
afterEach(() => store.close())

interface Given {
  readonly known?: Record<string, readonly string[]>
  readonly allow?: readonly string[]
  readonly limits?: DeliveryLimits
  readonly on?: TestStore
}

/** Deliveries from this store, to loopback and to what the test's resolver knows. */
function start({ known = {}, allow = ['127.0.0.1'], limits, on = store }: Given = {}): Webhooks & { asked: string[] } {
  const asked: string[] = []
  const webhooks = startWebhooks({
    store: on,
    blobs: { open: () => Promise.reject(new Error('nothing is large here')) },
    signer: createSigner({ store, encryptionKey }),
    clock: { now: () => now },
    wallClock: { now: () => now },
    log: silent,
    random: () => 0.5,
    mostBytes: 10_000,
    way: {
      mayReach: publicOr(allow),
      resolve: async (host) => {
        asked.push(host)
        return known[host] ?? Promise.reject(new Error(`getaddrinfo ENOTFOUND ${host}`))
      },
    },
    ...(limits && { limits }),
  })
  onTestFinished(() => webhooks.stop({ graceMs: 0 }))
  return Object.assign(webhooks, { asked })
}

interface Receiver {
  readonly port: number
  readonly url: string
  readonly got: { readonly path: string; readonly headers: IncomingMessage['headers']; readonly body: string }[]
}

async function receiver(answer: (req: IncomingMessage, res: ServerResponse, turn: number) => void): Promise<Receiver> {
  const got: Receiver['got'] = []
  const server = createServer(async (req, res) => {
    const body = await text(req).catch(() => '')
    answer(req, res, got.push({ path: req.url ?? '', headers: req.headers, body }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => (server.closeAllConnections(), void server.close()))
  const { port } = server.address() as AddressInfo
  return { port, url: `http://127.0.0.1:${port}/hook?token=1`, got }
}

async function ended(id: string, url: string): Promise<void> {
  const payload = { method: 'POST', path: '/', headers: [], body: { inline: new Uint8Array() }, callerId: 'x' } as const
  const retry = { forbidden: false, budgets: {} }
  const webhook = { url, accountId }
  await store.commit(
    acceptRequest({ id, appId: 'app-1', priority: 'normal', acceptedAt: now, retry, payload, webhook }),
  )
  const outcome = { status: 200, headers: [], body: { inline: Buffer.from(`{"of":"${id}"}`) } }
  await store.commit(completeWaiting({ requestId: id, outcome, now }))
}

const webhookOf = async (id: string) => (await store.read(webhooksOfAccount(accountId, { requestId: id, limit: 1 })))[0]
const becomes = (id: string, state: object) =>
  vi.waitFor(async () => expect(await webhookOf(id)).toMatchObject(state), { timeout: 20_000, interval: 10 })

test('an outcome is told with its result, and signed so that the published keys verify it', async () => {
  const { got, url } = await receiver((_req, res) => res.writeHead(202).end('thank you'))
  const webhooks = start()
  await ended('r', url)
  await becomes('r', { state: 'delivered', attempts: 1, status: 202, said: 'thank you' })
  const [{ headers, body, path } = { headers: {}, body: '', path: '' }] = got
  expect(path).toBe('/hook?token=1')
  expect(JSON.parse(body)).toEqual({
    request_id: 'r',
    gateway_request_id: 'r',
    status: 'OK',
    payload: { of: 'r' },
    error: null,
  })
  expect(headers).toMatchObject({
    'content-type': 'application/json',
    'x-fal-webhook-request-id': 'r',
    'x-fal-webhook-user-id': accountId,
    'x-fal-webhook-timestamp': String(now / 1_000),
    'x-fal-webhook-signature': expect.stringMatching(/^[0-9a-f]{128}$/) as string,
  })
  const message = ['r', accountId, now / 1_000, createHash('sha256').update(body).digest('hex')].join('\n')
  const { keys } = await createSigner({ store, encryptionKey }).publicKeys()
  const key = createPublicKey({ key: { ...keys[0] } satisfies JsonWebKey, format: 'jwk' })
  const signature = Buffer.from(String(headers['x-fal-webhook-signature']), 'hex')
  expect(verify(null, Buffer.from(message), key, signature)).toBe(true)
  expect(webhooks.counts).toEqual({ delivered: 1, again: 0, failed: 0 })
})

test('what was due when the platform ended is delivered by the next start', async () => {
  const { url, got } = await receiver((_req, res) => res.end())
  await ended('r', url)
  start()
  await becomes('r', { state: 'delivered' })
  expect(got).toHaveLength(1)
})

test('a receiver that fails is asked again when its pause is over, until it takes it', async () => {
  const { url, got } = await receiver((_req, res, turn) => res.writeHead(turn < 3 ? 503 : 200).end(`turn ${turn}`))
  const webhooks = start()
  await ended('r', url)
  await becomes('r', { state: 'due', attempts: 1, status: 503, said: 'turn 1', dueAt: now + 5_000 })
  now += 4_999
  webhooks.wake()
  now += 1
  webhooks.wake()
  await becomes('r', { state: 'due', attempts: 2, dueAt: now + 10_000 })
  now += 10_000
  webhooks.wake()
  await becomes('r', { state: 'delivered', attempts: 3, said: 'turn 3' })
  expect(got).toHaveLength(3)
  expect(webhooks.counts).toEqual({ delivered: 1, again: 2, failed: 0 })
})

test('a redirect is not followed and ends it', async () => {
  const { url, got } = await receiver((_req, res) => res.writeHead(302, { location: '/elsewhere' }).end('moved'))
  start()
  await ended('r', url)
  await becomes('r', { state: 'failed', attempts: 1, status: 302, said: 'redirects are not followed: moved' })
  expect(got).toHaveLength(1)
})

describe('an address that is not allowed', () => {
  const known = {
    'private.example': ['192.168.0.1'],
    'mixed.example': ['93.184.216.34', '10.0.0.1'],
    'mapped.example': ['::ffff:169.254.169.254'],
    'metadata.example': ['169.254.169.254'],
    'local.example': ['127.0.0.1'],
  }
  test.each([
    ...Object.keys(known).map((host) => `http://${host}/`),
    'http://127.0.0.1:1/',
    'http://[::ffff:127.0.0.1]/',
    'http://169.254.169.254/latest',
    'http://[fe80::1]/',
  ])('%s ends it, and nothing is sent there', async (url) => {
    start({ known, allow: [] })
    await ended('r', url)
    await becomes('r', { state: 'failed', attempts: 1, said: expect.stringContaining('not public') as string })
    expect(await webhookOf('r')).not.toHaveProperty('status')
  })
})

test('a name is resolved once for each delivery, and the connection goes to the address that was checked', async () => {
  const { port, got } = await receiver((_req, res) => res.end())
  const { asked } = start({ known: { 'hook.example': ['127.0.0.1'] } })
  await ended('r', `http://hook.example:${port}/`)
  await becomes('r', { state: 'delivered' })
  expect(asked).toEqual(['hook.example'])
  expect(got[0]?.headers.host).toBe(`hook.example:${port}`)
})

test('what nobody answers is tried again, and said', async () => {
  const { url } = await receiver((req) => req.destroy())
  start()
  await ended('unknown', 'http://nowhere.example/')
  await ended('cut', url)
  await becomes('unknown', { state: 'due', attempts: 1, said: expect.stringContaining('ENOTFOUND') as string })
  await becomes('cut', { state: 'due', attempts: 1 })
})

test('what a receiver says is kept as the beginning of one line', async () => {
  const { url } = await receiver((_req, res) => res.end(`\u001b[31mred\r\n${'x'.repeat(100_000)}`))
  start()
  await ended('r', url)
  await becomes('r', { state: 'delivered' })
  const said = (await webhookOf('r'))?.said ?? ''
  expect(said.startsWith('[31mred xxx')).toBe(true)
  expect(said.length).toBeLessThanOrEqual(1_000)
})

test('a receiver that does not answer leaves room for the others', async () => {
  const slow = await receiver(() => {})
  const quick = await receiver((_req, res) => res.end())
  const webhooks = start({ limits: { inAll: 4, perHost: 2 } })
  for (let turn = 0; turn < 20; turn += 1) await ended(`slow-${turn}`, slow.url)
  await Promise.all(Array.from({ length: 50 }, (_, turn) => ended(`quick-${turn}`, quick.url)))
  await vi.waitFor(() => expect(webhooks.counts.delivered).toBe(50), { timeout: 20_000 })
  expect(slow.got.length).toBeLessThanOrEqual(2)
  expect(new Set(quick.got.map(({ body }) => body)).size).toBe(50)
  expect(quick.got).toHaveLength(50)
})

test('one that is over is sent again when that is asked', async () => {
  const { url, got } = await receiver((_req, res, turn) => res.writeHead(turn === 1 ? 301 : 200).end())
  start()
  await ended('r', url)
  await becomes('r', { state: 'failed' })
  await store.commit(resendWebhook(accountId, 'r', now))
  await becomes('r', { state: 'delivered', attempts: 1 })
  expect(got).toHaveLength(2)
})

test('stopping cuts off what does not end, and that is due for the next start', async () => {
  const { url, got } = await receiver(() => {})
  const webhooks = start()
  await ended('r', url)
  await vi.waitFor(() => expect(got).toHaveLength(1), { timeout: 20_000 })
  await webhooks.stop({ graceMs: 10 })
  expect(await webhookOf('r')).toMatchObject({ state: 'due', attempts: 0 })
})

test('where nothing is due, nothing is read', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  let reads = 0
  const counted: TestStore = { ...store, read: (query) => ((reads += 1), store.read(query)) }
  const { url } = await receiver((_req, res) => res.end())
  const webhooks = start({ on: counted })
  await ended('r', url)
  await vi.waitFor(() => expect(webhooks.counts.delivered).toBe(1), { timeout: 20_000 })
  const before = await settledCount(() => reads)
  expect(before).toBeGreaterThan(0)
  await vi.advanceTimersByTimeAsync(3_600_000)
  expect(await settledCount(() => reads)).toBe(before)
})

/** A count that has stayed the same for some turns of the event loop. */
async function settledCount(count: () => number): Promise<number> {
  for (let last = -1, same = 0; same < 50; same = count() === last ? same + 1 : 0) {
    last = count()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return count()
}
