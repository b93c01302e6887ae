import { once } from 'node:events'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { presets } from '../domain/permissions.ts'
import { openTestGateway, type TestGateway } from '../testing/gateway.ts'

let gateway: TestGateway
const seen: string[] = []

beforeAll(async () => {
  gateway = await openTestGateway()
  const server = new WebSocketServer({ noServer: true })
  await gateway.addApp('echo', {
    runner: (req, res) => (seen.push(req.url ?? ''), res.end('{}')),
    upgrade: (req, socket, head) => {
      seen.push(req.url ?? '')
      server.handleUpgrade(req, socket, head, (client) => client.send('hello'))
    },
  })
})
afterAll(() => gateway[Symbol.asyncDispose]())

async function tokenFor(apps: readonly string[], { key = gateway.keys.ann, lifeMs = 60_000 } = {}): Promise<string> {
  const [keyId = '', secret = ''] = key.split(':')
  const caller = gateway.keyring.identify({ keyId, secret })
  if (caller === undefined) throw new Error('no such key')
  return gateway.callTokens.issue(caller, apps, gateway.clock.now() + lifeMs)
}

const call = (path: string, token: string) =>
  gateway.fetch(`${path}?a=1&fal_jwt_token=${token}`, { key: null, method: 'POST', body: '{}' })

test('a call with a token reaches the app without it', async () => {
  expect((await call('/ann/echo/stream', await tokenFor(['echo']))).status).toBe(200)
  expect(seen.at(-1)).toBe('/stream?a=1')
})

test('a WebSocket with a token reaches the app without it', async () => {
  const token = await tokenFor(['ann/echo/realtime'])
  const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/ann/echo/realtime?fal_jwt_token=${token}`)
  await once(socket, 'message')
  expect(seen.at(-1)).toBe('/realtime')
  socket.close()
})

test('a key in the header comes first, and what stands beside it is not shown to the app either', async () => {
  const answer = await gateway.fetch('/ann/echo?fal_jwt_token=rubbish', { method: 'POST', body: '{}' })
  expect([answer.status, seen.at(-1)]).toEqual([200, '/'])
})

test.each([
  ['of another app', () => tokenFor(['other'])],
  ['of another path', () => tokenFor(['ann/echo/realtime'])],
  ['that is over', () => tokenFor(['echo'], { lifeMs: -10_000 })],
  ['that is none', () => Promise.resolve('rubbish')],
])('a token %s is refused', async (_, token) => {
  expect((await call('/ann/echo/stream', await token())).status).toBe(401)
})

test('a token reaches no more than its account does', async () => {
  expect((await call('/ann/echo', await tokenFor(['echo'], { key: gateway.keys.bob }))).status).toBe(404)
})

test('the tokens of a revoked key stop within the second', async () => {
  const credentials = await gateway.keyring.mint('account-ann', presets.API, 'short-lived')
  const token = await tokenFor(['echo'], { key: `${credentials.keyId}:${credentials.secret}` })
  expect((await call('/ann/echo', token)).status).toBe(200)
  await gateway.keyring.revoke(credentials.keyId)
  expect((await call('/ann/echo', token)).status).toBe(401)
})

test('a token submits nothing and follows what its app was sent', async () => {
  const token = await tokenFor(['echo'])
  expect((await call('/queue/ann/echo', token)).status).toBe(401)

  await gateway.addApp('other')
  for (const [app, status] of [
    ['echo', 200],
    ['other', 404],
  ] as const) {
    const submitted = await gateway.fetch(`/queue/ann/${app}`, { method: 'POST', body: '{}' })
    const { request_id: id } = (await submitted.json()) as { request_id: string }
    const stream = await gateway.fetch(`/queue/ann/echo/requests/${id}/status/stream?fal_jwt_token=${token}`, {
      key: null,
    })
    expect(stream.status).toBe(status)
    await stream.body?.cancel()
    const poll = await gateway.fetch(`/queue/ann/echo/requests/${id}/status?fal_jwt_token=${token}`, { key: null })
    expect(poll.status).toBe(401)
  }
})

test('slots of refused tokens are not taken', async () => {
  await vi.waitFor(() => expect(gateway.homes.of('app-echo').load().running).toBe(0))
})
