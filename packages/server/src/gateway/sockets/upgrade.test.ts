import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { presets } from '../../domain/permissions.ts'
import { openTestGateway, type AppOptions, type TestGateway } from '../../testing/gateway.ts'

let gateway: TestGateway
beforeAll(async () => (gateway = await openTestGateway()))
afterAll(() => gateway[Symbol.asyncDispose]())

/** An app that sends back what it gets, and its headers first. */
function echoing(): Pick<AppOptions, 'runner' | 'upgrade'> {
  const server = new WebSocketServer({ noServer: true })
  server.on('connection', (socket, req) => {
    socket.send(JSON.stringify({ url: req.url, headers: req.headers }))
    socket.on('message', (data, binary) => socket.send(data, { binary }))
  })
  return {
    runner: (_req, res) => res.end(),
    upgrade: (req, socket, head) =>
      server.handleUpgrade(req, socket, head, (client) => server.emit('connection', client, req)),
  }
}

function open(path: string, key: string | null = gateway.keys.ann): WebSocket {
  const headers: Record<string, string> = key === null ? {} : { authorization: `Key ${key}` }
  return new WebSocket(`ws://127.0.0.1:${gateway.port}${path}`, { headers })
}

/** The status and body of a refused handshake. */
async function refusal(socket: WebSocket): Promise<{ status: number | undefined; text: string }> {
  const [, answer] = await once(socket, 'unexpected-response')
  const chunks: Buffer[] = []
  for await (const chunk of answer) chunks.push(chunk)
  return { status: answer.statusCode, text: Buffer.concat(chunks).toString() }
}

test('a WebSocket reaches the app, holds one slot while it is open, and passes both ways untouched', async () => {
  const app = await gateway.addApp('echo', echoing())
  const socket = open('/ann/echo/realtime?x=1')
  const [hello] = await once(socket, 'message')
  const seen: { url: string; headers: Record<string, string> } = JSON.parse(String(hello))
  expect(seen.url).toBe('/realtime?x=1')
  expect(seen.headers).toMatchObject({ 'x-fal-endpoint': 'ann/echo/realtime', 'x-fal-caller-user-id': 'account-ann' })
  expect(seen.headers).not.toHaveProperty('authorization')
  expect(app.home.load().running).toBe(1)

  for (const message of [Buffer.from([0, 255, 1]), Buffer.alloc(300_000, 7)]) {
    socket.send(message)
    const [back, binary] = await once(socket, 'message')
    expect([Buffer.compare(back, message), binary]).toEqual([0, true])
  }
  socket.close(1000)
  await once(socket, 'close')
  await vi.waitFor(() => expect(app.home.load().running).toBe(0))
})

test('it is cut when the key that opened it is revoked, and one of another key is not', async () => {
  const app = await gateway.addApp('keyed', echoing())
  const credentials = await gateway.keyring.mint('account-ann', presets.API, 'soon revoked')
  const sockets = [open('/ann/keyed', `${credentials.keyId}:${credentials.secret}`), open('/ann/keyed')]
  await Promise.all(sockets.map((socket) => once(socket, 'message')))
  const closed = once(sockets[0]!, 'close')
  await gateway.keyring.revoke(credentials.keyId)
  await closed
  await vi.waitFor(() => expect(app.home.load().running).toBe(1))
  sockets[1]!.send('still here')
  expect(String((await once(sockets[1]!, 'message'))[0])).toBe('still here')
  sockets[1]!.close()
})

test('the slot is free again when the caller vanishes', async () => {
  const app = await gateway.addApp('vanish', echoing())
  const socket = open('/ann/vanish')
  await once(socket, 'message')
  socket.terminate()
  await vi.waitFor(() => expect(app.home.load().running).toBe(0), 10_000)
  expect(gateway.verdicts).toEqual([])
})

test('a refusal of the app is what the caller gets', async () => {
  const app = await gateway.addApp('refusing', {
    ...echoing(),
    upgrade: (_req, socket) => socket.end('HTTP/1.1 403 Forbidden\r\nx-app: no\r\ncontent-length: 4\r\n\r\nnope'),
  })
  expect(await refusal(open('/ann/refusing'))).toEqual({ status: 403, text: 'nope' })
  await vi.waitFor(() => expect(app.home.load().running).toBe(0))
})

test('an app that does not speak WebSocket answers as it likes', async () => {
  await gateway.addApp('plain', { runner: (_req, res) => res.writeHead(404).end('no socket here') })
  expect(await refusal(open('/ann/plain'))).toEqual({ status: 404, text: 'no socket here' })
})

describe('refused here', () => {
  beforeAll(() => gateway.addApp('private'))

  test.each([
    ['/ann/private', null, 401],
    ['/ann/unknown', 'ann', 404],
    ['/ann/private', 'bob', 404],
    ['/ws/ann/private', null, 401],
    ['/ws/ann/private', 'bob', 404],
    ['/users/current', 'ann', 404],
    ['/queue/ann/private', 'ann', 404],
  ] as const)('%s with the key of %s: %d', async (path, who, status) => {
    const { status: found, text } = await refusal(open(path, who && gateway.keys[who]))
    expect(found).toBe(status)
    expect(JSON.parse(text)).toHaveProperty('detail')
  })

  test('with a dead runner, which then ends', async () => {
    const app = await gateway.addApp('dead')
    app.home.setRunners([{ id: 'r-dead', revisionId: 'x', address: { host: '127.0.0.1', port: 1 } }])
    expect((await refusal(open('/ann/dead'))).status).toBe(503)
    expect(gateway.verdicts).toContainEqual({ runnerId: 'r-dead', verdict: 'terminate', reason: 'crash' })
  })
})

test('what a caller sends too early is kept for the app', async () => {
  const app = await gateway.addApp('early')
  const socket = connect(gateway.port, '127.0.0.1')
  const handshake = `GET /ann/early HTTP/1.1\r\nhost: x\r\nauthorization: Key ${gateway.keys.ann}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n`
  socket.write(`${handshake}one `)
  await vi.waitFor(() => expect(app.home.load().waiting).toBe(1))
  socket.write('two ')
  await gateway.serveBy(
    app,
    () => {},
    (_req, joined, head) => {
      joined.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n')
      joined.write(head)
      joined.pipe(joined)
    },
  )
  let text = ''
  socket.on('data', (chunk) => (text += String(chunk)))
  await vi.waitFor(() => expect(text).toMatch(/^HTTP\/1.1 101 [\s\S]*\r\n\r\none two $/), 10_000)
  socket.end('three')
  await once(socket, 'end')
  expect(text).toMatch(/one two three$/)
})

test('a caller that was refused and stays is cut off', async () => {
  const socket = connect({ port: gateway.port, host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => {}).resume()
  socket.write('GET /ann/nothing HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n')
  await once(socket, 'end')
  await vi.waitFor(() => {
    socket.write('still here')
    expect(socket.errored ?? socket.destroyed).toBeTruthy()
  }, 20_000)
})

test('it is cut after request_timeout', async () => {
  const app = await gateway.addApp('long', { ...echoing(), scale: { request_timeout: 0.3 } })
  const socket = open('/ann/long')
  await once(socket, 'message')
  await once(socket, 'close')
  await vi.waitFor(() => expect(app.home.load().running).toBe(0))
})

test('a caller that leaves while it waits for a runner waits no longer', async () => {
  const app = await gateway.addApp('cold')
  const socket = connect(gateway.port, '127.0.0.1')
  socket.write(
    `GET /ann/cold HTTP/1.1\r\nhost: x\r\nauthorization: Key ${gateway.keys.ann}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n`,
  )
  await vi.waitFor(() => expect(app.home.load().waiting).toBe(1))
  socket.destroy()
  await vi.waitFor(() => expect(app.home.load().waiting).toBe(0), 10_000)
})
