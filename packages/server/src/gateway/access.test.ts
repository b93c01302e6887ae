import { once } from 'node:events'
import { Agent, request, type IncomingMessage } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { formatKey } from '../access/credentials.ts'
import { permissions } from '../domain/permissions.ts'
import { openTestGateway, type TestGateway } from '../testing/gateway.ts'
import { access } from './access.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await openTestGateway()
  for (const authMode of ['private', 'public', 'shared'] as const) {
    await gateway.addApp(authMode, { authMode, runner: (req, res) => res.end(req.headers['x-fal-caller-user-id']) })
  }
})
afterAll(() => gateway[Symbol.asyncDispose]())

test('every route names a permission that exists', () => {
  for (const permission of Object.values(access)) expect(permissions).toContain(permission)
})

type Who = 'ann' | 'bob' | 'reader' | 'wrong' | 'nobody'
const keyOf = (who: Who) => (who === 'nobody' ? null : who === 'wrong' ? `${gateway.keys.ann}x` : gateway.keys[who])

/** ann owns the apps, reader is a key of hers that may not call, bob is somebody else. */
const table: readonly (readonly [app: string, who: Who, status: number])[] = [
  ['private', 'ann', 200],
  ['private', 'bob', 404],
  ['private', 'reader', 403],
  ['private', 'wrong', 401],
  ['private', 'nobody', 401],
  ['public', 'ann', 200],
  ['public', 'bob', 200],
  ['public', 'reader', 200],
  ['public', 'wrong', 200],
  ['public', 'nobody', 200],
  ['shared', 'ann', 200],
  ['shared', 'bob', 200],
  ['shared', 'reader', 403],
  ['shared', 'wrong', 401],
  ['shared', 'nobody', 401],
  ['unknown', 'ann', 404],
  ['unknown', 'nobody', 401],
]

describe.each(['', '/queue'])('at %s/ann', (prefix) => {
  test.each(table)('a %s app answers %s with %d', async (app, who, status) => {
    const answer = await gateway.fetch(`${prefix}/ann/${app}`, { method: 'POST', key: keyOf(who) })
    expect(answer.status).toBe(status)
  })
})

test('refusals have the bodies that clients have on record', async () => {
  const anonymous = await gateway.fetch('/ann/private', { key: null })
  expect(anonymous.headers.get('content-type')).toBe('application/json; charset=utf-8')
  expect(await anonymous.json()).toEqual({
    detail: "Cannot access application 'ann/private'. Authentication is required to access this application.",
  })
  expect(await (await gateway.fetch('/ann/unknown')).json()).toEqual({ detail: 'Application "ann/unknown" not found' })
})

test("a private app of somebody else looks like one that doesn't exist", async () => {
  const [there, absent] = await Promise.all(
    ['private', 'absent'].map((app) => gateway.fetch(`/ann/${app}`, { key: gateway.keys.bob })),
  )
  expect(there!.status).toBe(absent!.status)
  expect((await there!.text()).replace('private', 'absent')).toBe(await absent!.text())
})

test('an app is told who calls, but strangers are not named', async () => {
  const callerSeen = async (who: Who) => (await gateway.fetch('/ann/public', { key: keyOf(who) })).text()
  expect([await callerSeen('ann'), await callerSeen('nobody')]).toEqual(['account-ann', 'anonymous'])
  expect(await callerSeen('bob')).toMatch(/^[0-9a-f]{64}$/)
})

test('a bearer token may carry the key', async () => {
  const headers = { authorization: `Bearer ${gateway.keys.ann}` }
  expect((await gateway.fetch('/ann/private', { key: null, headers })).status).toBe(200)
})

describe('requests', () => {
  const made = '01234567-89ab-7def-8123-456789abcdef'
  const operations = [
    ['GET', '/status'],
    ['GET', '/status/stream'],
    ['GET', ''],
    ['PUT', '/cancel'],
  ] as const

  test.each(operations)('%s %s: the key comes before the id', async (method, suffix) => {
    const path = `/queue/any/app/requests/${made}${suffix}`
    expect((await gateway.fetch(path, { method, key: null })).status).toBe(401)
    expect((await gateway.fetch(path, { method, key: keyOf('wrong') })).status).toBe(401)
    expect((await gateway.fetch(path, { method, key: keyOf('reader') })).status).toBe(403)
    const answer = await gateway.fetch(path, { method })
    expect(answer.status).toBe(404)
    if (suffix !== '') expect(await answer.json()).toEqual({ status: 'NOT_FOUND' })
  })

  /** Who sees a request that ann, or bob, has made. */
  test.each([
    ['private', 'ann', { ann: 200, bob: 404, nobody: 401 }],
    ['public', 'ann', { ann: 200, bob: 200, nobody: 200 }],
    ['shared', 'bob', { ann: 200, bob: 200, nobody: 401 }],
    ['shared', 'ann', { ann: 200, bob: 404, nobody: 401 }],
  ] as const)('of a %s app, made by %s: %j', async (app, maker, expected) => {
    const submitted = await gateway.fetch(`/queue/ann/${app}`, { method: 'POST', key: keyOf(maker) })
    const { request_id: id }: { request_id: string } = JSON.parse(await submitted.text())
    for (const who of ['ann', 'bob', 'nobody'] as const) {
      const status = await statusOf(`/queue/ann/${app}/requests/${id}/status`, who)
      expect([who, status]).toEqual([who, expected[who]])
    }
    // Naming a public app in the path opens nothing of another one, nor to a key that may not call.
    for (const who of ['nobody', 'reader'] as const) {
      const status = await statusOf(`/queue/ann/public/requests/${id}/status`, who)
      expect([who, status]).toEqual([who, app === 'public' ? 200 : 404])
    }
  })

  async function statusOf(path: string, who: Who): Promise<number> {
    for (;;) {
      const { status } = await gateway.fetch(path, { key: keyOf(who) })
      if (status !== 202) return status
    }
  }
})

test('on one connection a key that was revoked is refused, and another caller is not taken for the one before', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const sockets = new Set<unknown>()
  async function statusWith(key: string): Promise<number | undefined> {
    const asked = request(`${gateway.url}/ann/private`, { agent, headers: { authorization: `Key ${key}` } }).end()
    const [answer]: IncomingMessage[] = await once(asked, 'response')
    sockets.add(answer?.socket)
    answer?.resume()
    if (answer) await once(answer, 'end')
    return answer?.statusCode
  }
  const credentials = await gateway.keyring.mint('account-ann', ['apps:call'], 'short-lived')
  const key = formatKey(credentials)
  expect([await statusWith(key), await statusWith(key)]).toEqual([200, 200])
  expect([await statusWith(gateway.keys.bob), await statusWith(`${key}x`), await statusWith(key)]).toEqual([
    404, 401, 200,
  ])
  await gateway.keyring.revoke(credentials.keyId)
  expect(await statusWith(key)).toBe(401)
  expect(sockets.size).toBe(1)
  agent.destroy()
})
