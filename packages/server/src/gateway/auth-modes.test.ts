import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { openTestGateway, type TestGateway } from '../testing/gateway.ts'

/**
 * Every way to call an app, by everybody, in every auth mode. ann owns the apps, bob has a key of another account, reader is
 * a key of ann's that may not call, and nobody has none.
 */
const modes = ['private', 'public', 'shared'] as const
const people = ['ann', 'bob', 'reader', 'nobody'] as const
type Mode = (typeof modes)[number]
type Who = (typeof people)[number]

let gateway: TestGateway
beforeAll(async () => {
  gateway = await openTestGateway()
  const sockets = new WebSocketServer({ noServer: true })
  for (const authMode of modes)
    await gateway.addApp(authMode, {
      authMode,
      openapi: { paths: { '/live': { get: { 'x-fal-realtime': true } } } },
      runner: (req, res) => res.end(req.url),
      upgrade: (req, socket, head) => sockets.handleUpgrade(req, socket, head, (client) => client.close()),
    })
})
afterAll(() => gateway[Symbol.asyncDispose]())

const keyOf = (who: Who): string | null => (who === 'nobody' ? null : gateway.keys[who])

/** What a call gets. */
const mayCall: Readonly<Record<Mode, Readonly<Record<Who, number>>>> = {
  private: { ann: 200, bob: 404, reader: 403, nobody: 401 },
  public: { ann: 200, bob: 200, reader: 200, nobody: 200 },
  shared: { ann: 200, bob: 200, reader: 403, nobody: 401 },
}

const post = (path: string, who: Who) => gateway.fetch(path, { method: 'POST', key: keyOf(who), body: '{}' })

async function socketTo(path: string, who: Who): Promise<number> {
  const key = keyOf(who)
  const headers = key === null ? {} : { authorization: `Key ${key}` }
  const socket = new WebSocket(gateway.url.replace('http', 'ws') + path, { headers })
  const refused = once(socket, 'unexpected-response').then(
    ([, answer]) => (answer as { statusCode: number }).statusCode,
  )
  const opened = once(socket, 'open').then(() => 200)
  const status = await Promise.race([refused, opened])
  opened.catch(() => {})
  socket.on('error', () => {}).terminate()
  return status
}

async function tokenOf(who: Who, app: Mode): Promise<string | undefined> {
  const [keyId = '', secret = ''] = keyOf(who)?.split(':') ?? []
  const caller = gateway.keyring.identify({ keyId, secret })
  return caller && gateway.callTokens.issue(caller, [`ann/${app}`], gateway.clock.now() + 60_000)
}

const ways: readonly (readonly [string, (app: Mode, who: Who) => Promise<number>])[] = [
  ['a direct call', async (app, who) => (await post(`/ann/${app}`, who)).status],
  ['a direct call below it', async (app, who) => (await post(`/ann/${app}/deep/path?x=1`, who)).status],
  ['a stream', async (app, who) => (await post(`/ann/${app}/stream`, who)).status],
  ['a submit', async (app, who) => (await post(`/queue/ann/${app}`, who)).status],
  ['a WebSocket', (app, who) => socketTo(`/ann/${app}/live`, who)],
  ['a session of calls', (app, who) => socketTo(`/ws/ann/${app}`, who)],
]

describe.each(ways)('%s', (_, call) => {
  test.each(modes)('of a %s app', async (app) => {
    for (const who of people) expect([who, await call(app, who)]).toEqual([who, mayCall[app][who]])
  })
})

test.each(modes)('a token opens of a %s app what its key does', async (app) => {
  for (const who of ['ann', 'bob', 'reader'] as const) {
    const token = await tokenOf(who, app)
    const answer = await gateway.fetch(`/ann/${app}?fal_jwt_token=${token}`, { method: 'POST', key: null })
    expect([who, answer.status]).toEqual([who, mayCall[app][who]])
  }
})

describe('a request of the queue', () => {
  const questions = [
    ['GET', '/status'],
    ['GET', '/status/stream'],
    ['GET', ''],
    ['PUT', '/cancel'],
  ] as const

  /** Whom a question about it is answered: all who may call a public app, else its submitter and its app's owner. */
  const sees: readonly (readonly [Mode, 'ann' | 'bob', readonly Who[]])[] = [
    ['private', 'ann', ['ann']],
    ['public', 'bob', ['ann', 'bob', 'reader', 'nobody']],
    ['shared', 'ann', ['ann']],
    ['shared', 'bob', ['ann', 'bob']],
  ]

  describe.each(sees)('of a %s app that %s has sent', (app, maker, allowed) => {
    test.each(questions)('%s …%s is answered to those alone who may know', async (method, suffix) => {
      const submitted = (await (await post(`/queue/ann/${app}`, maker)).json()) as { request_id: string }
      const path = `/queue/ann/${app}/requests/${submitted.request_id}${suffix}`
      await ended(path.replace(suffix, '') + '/status')
      for (const who of people) {
        const { status } = await gateway.fetch(path, { method, key: keyOf(who) })
        const refusal = who === 'nobody' ? 401 : who === 'reader' ? 403 : 404
        // What has ended cannot be cancelled, which is told to those alone who may know of it.
        const answer = method === 'PUT' ? 400 : 200
        expect([who, status]).toEqual([who, allowed.includes(who) ? answer : refusal])
      }
    })
  })

  async function ended(status: string): Promise<void> {
    while ((await gateway.fetch(status)).status === 202);
  }
})
