import { once } from 'node:events'
import type { ClientRequest } from 'node:http'
import { connect as connectTcp } from 'node:net'
import { decode, encode } from '@msgpack/msgpack'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { presets } from '../../domain/permissions.ts'
import { openTestGateway, type AppOptions, type TestApp, type TestGateway } from '../../testing/gateway.ts'

const limits = {
  bodyBytes: 10_000,
  queueLength: 10,
  connectTimeoutMs: 5_000,
  socketMessageBytes: 100_000,
  socketIdleMs: 3_000,
}

let gateway: TestGateway
beforeAll(async () => (gateway = await openTestGateway({ limits })))
afterAll(() => gateway[Symbol.asyncDispose]())

/** What a deploy of an app with `@fal.realtime("/realtime")` says of it. */
const openapi = {
  paths: {
    '/realtime': { 'x-fal-protocol': { type: 'realtime', contentType: 'application/msgpack' } },
    '/plain': { 'x-fal-protocol': { type: 'websocket' } },
  },
}

const patient = { timeout: 20_000 }

/** An app with what it does with each of its WebSockets. */
async function addApp(name: string, serve: (socket: WebSocket) => void, options: AppOptions = {}): Promise<TestApp> {
  const server = new WebSocketServer({ noServer: true, handleProtocols: (offered) => [...offered][0] ?? false })
  return gateway.addApp(name, {
    openapi,
    runner: (_req, res) => res.writeHead(404).end('no socket here'),
    upgrade: (req, socket, head) => server.handleUpgrade(req, socket, head, serve),
    ...options,
  })
}

interface Connecting {
  readonly path?: string
  readonly protocols?: readonly string[]
  readonly key?: string
}

async function connect(
  name: string,
  { path = '/realtime', protocols = [], key = gateway.keys.ann }: Connecting = {},
): Promise<WebSocket> {
  const headers = { authorization: `Key ${key}` }
  const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/ann/${name}${path}`, [...protocols], { headers })
  onTestFinished(() => socket.terminate())
  await once(socket, 'open')
  return socket
}

const nextMessage = async (socket: WebSocket): Promise<[data: Buffer, isBinary: boolean]> => {
  const [data, isBinary] = (await once(socket, 'message')) as [Buffer, boolean]
  return [data, isBinary]
}

async function nextBytes(socket: WebSocket): Promise<[data: Buffer]> {
  for (;;) {
    const [data, isBinary] = await nextMessage(socket)
    if (isBinary) return [data]
  }
}

const echo = (socket: WebSocket) => socket.on('message', (data, binary) => socket.send(data, { binary }))

test('binary messages pass as they are, whatever they hold, and texts of the app stay texts', async () => {
  const app = await addApp('echo', (socket) => {
    echo(socket)
    socket.once('message', () => socket.send('{"type":"x-fal-message"}'))
  })
  const socket = await connect('echo')
  const texts: string[] = []
  socket.on('message', (data, isBinary) => isBinary || texts.push((data as Buffer).toString()))
  expect(app.home.load().running).toBe(1)
  for (const bytes of [
    Buffer.from(encode({ n: 1 })),
    Buffer.from([0xc1, 0, 255]),
    Buffer.alloc(0),
    Buffer.alloc(99_999, 7),
  ]) {
    socket.send(bytes)
    const [back] = await nextBytes(socket)
    expect(Buffer.compare(back, bytes)).toBe(0)
  }
  expect(texts).toEqual(['{"type":"x-fal-message"}'])
  socket.close(1000)
  await vi.waitFor(() => expect(app.home.load().running).toBe(0), patient)
})

test('JSON texts become msgpack, because apps of the SDK read nothing else', async () => {
  await addApp('texts', echo)
  const socket = await connect('texts')
  const input = { prompt: 'grüße', n: 3, half: 0.5, deep: [{ yes: true, no: null }] }
  socket.send(JSON.stringify(input))
  const [back, isBinary] = await nextMessage(socket)
  expect([decode(back), isBinary]).toEqual([input, true])
})

test('a text that is no JSON is refused, and the connection goes on', async () => {
  await addApp('garbage', echo)
  const socket = await connect('garbage')
  for (const text of ['{', '['.repeat(1_000) + ']'.repeat(1_000)]) {
    socket.send(text)
    expect(JSON.parse(String((await nextMessage(socket))[0]))).toMatchObject({
      type: 'x-fal-error',
      error: 'INVALID_MESSAGE',
    })
  }
  socket.send('{}')
  expect((await nextMessage(socket))[1]).toBe(true)
})

test('a WebSocket that is not realtime passes its texts as they are', async () => {
  await addApp('plain', echo)
  const socket = await connect('plain', { path: '/plain' })
  socket.send('{"a":1}')
  expect(await nextMessage(socket)).toEqual([Buffer.from('{"a":1}'), false])
})

test('a WebSocket that is not realtime is cut when nothing was sent for a long time', async () => {
  const { home } = await addApp('silent', echo)
  const socket = await connect('silent', { path: '/plain' })
  await once(socket, 'close')
  await vi.waitFor(() => expect(home.load().running).toBe(0), patient)
})

test('pings and pongs reach the other end', async () => {
  const { promise: app, resolve } = Promise.withResolvers<WebSocket>()
  await addApp('pings', resolve)
  const socket = await connect('pings')
  const pinged = once(await app, 'ping')
  const ponged = once(socket, 'pong')
  socket.ping('from the client')
  expect([String((await pinged)[0]), String((await ponged)[0])]).toEqual(['from the client', 'from the client'])
  ;(await app).ping('from the app')
  expect(String((await once(await app, 'pong'))[0])).toBe('from the app')
})

test.each([
  [1000, 'done'],
  [4321, 'own reasons'],
])('closing with %d %s is closing with it at the other end', async (code, reason) => {
  const apps: WebSocket[] = []
  await addApp(`closing-${code}`, (socket) => void apps.push(socket))
  const first = await connect(`closing-${code}`)
  first.close(code, reason)
  const [byClient, clientsReason] = await once(apps[0]!, 'close')
  expect([byClient, String(clientsReason)]).toEqual([code, reason])

  const second = await connect(`closing-${code}`)
  apps[1]!.close(code, reason)
  const [byApp, appsReason] = await once(second, 'close')
  expect([byApp, String(appsReason)]).toEqual([code, reason])
})

test('the subprotocol is the app’s choice among those of the caller', async () => {
  await addApp('protocols', echo)
  expect((await connect('protocols', { protocols: ['one', 'two'] })).protocol).toBe('one')
  expect((await connect('protocols')).protocol).toBe('')
})

test('a caller that vanishes gives its slot back, and the app sees it', async () => {
  const { promise: app, resolve } = Promise.withResolvers<WebSocket>()
  const { home } = await addApp('vanish', resolve)
  const socket = await connect('vanish')
  const closed = once(await app, 'close')
  socket.terminate()
  expect((await closed)[0]).toBe(1006)
  await vi.waitFor(() => expect(home.load().running).toBe(0), patient)
})

/** What a caller is told before its connection ends. */
async function lastWords(socket: WebSocket): Promise<{ error: string | undefined; code: number }> {
  let error: string | undefined
  socket.on('message', (data, isBinary) => {
    if (!isBinary) error = (JSON.parse((data as Buffer).toString()) as { error: string }).error
  })
  const [code] = (await once(socket, 'close')) as [number]
  return { error, code }
}

describe('a caller is told why its connection ends', () => {
  test('when the app breaks off', async () => {
    await addApp('breaks', (socket) => socket.on('message', () => socket.terminate()))
    const socket = await connect('breaks')
    socket.send('{}')
    expect(await lastWords(socket)).toEqual({ error: 'RUNNER_DISCONNECTED', code: 1011 })
  })

  test('when it has lasted for request_timeout', async () => {
    const { home } = await addApp('long', echo, { scale: { request_timeout: 0.5 } })
    expect(await lastWords(await connect('long'))).toEqual({ error: 'REQUEST_TIMEOUT', code: 1011 })
    await vi.waitFor(() => expect(home.load().running).toBe(0), patient)
  })

  test('when the key that opened it is revoked', async () => {
    const { home } = await addApp('keyed', echo)
    const { keyId, secret } = await gateway.keyring.mint('account-ann', presets.API, 'soon revoked')
    const last = lastWords(await connect('keyed', { key: `${keyId}:${secret}` }))
    await gateway.keyring.revoke(keyId)
    expect(await last).toEqual({ error: 'UNAUTHORIZED', code: 1008 })
    await vi.waitFor(() => expect(home.load().running).toBe(0), patient)
  })

  test('when nothing was sent for a long time, in the words that clients take for a rest', async () => {
    await addApp('idle', echo)
    expect(await lastWords(await connect('idle'))).toEqual({ error: 'TIMEOUT', code: 1000 })
  })

  test('when the app sends more than is passed on', async () => {
    await addApp('loud', (socket) => socket.on('message', () => socket.send(Buffer.alloc(100_001))))
    const socket = await connect('loud')
    socket.send('{}')
    expect(await lastWords(socket)).toEqual({ error: 'MESSAGE_TOO_BIG', code: 1009 })
  })

  test('when it sends more than is passed on itself', async () => {
    await addApp('quiet', echo)
    const socket = await connect('quiet')
    socket.send(Buffer.alloc(100_001))
    expect((await once(socket, 'close'))[0]).toBe(1009)
  })
})

test('with max_buffering the newest inputs wait for a slow app, and the oldest are dropped', async () => {
  const seen: number[] = []
  const { promise: app, resolve } = Promise.withResolvers<WebSocket>()
  await addApp('slow', (socket) => {
    socket.pause()
    resolve(socket)
    socket.on('message', (data) => seen.push((decode(data as Buffer) as { n: number }).n))
  })
  const socket = await connect('slow', { path: '/realtime?max_buffering=2' })
  const count = 500
  for (let n = 0; n < count; n += 1) {
    const sent = Promise.withResolvers<void>()
    socket.send(encode({ n, fill: new Uint8Array(90_000) }), () => sent.resolve())
    await sent.promise
  }
  ;(await app).resume()
  await vi.waitFor(() => expect(seen.at(-1)).toBe(count - 1), patient)
  expect(seen.length).toBeLessThan(count)
  expect(seen).toEqual(seen.toSorted((a, b) => a - b))
})

test.each([
  ['reserved bits', [0xff, 0xff, 0xff, 0xff]],
  ['a message that is not masked', [0x82, 0x01, 0x00]],
  ['a text that is no UTF-8', [0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28]],
  ['a ping that is too long', [0x89, 0xfe, 0x01, 0x00]],
  ['the length of a message of petabytes', [0x82, 0xff, 0x00, 0x0f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
])('garbage closes the connection and gives the slot back: %s', async (name, bytes) => {
  const { home } = await addApp(name.replaceAll(' ', '-').toLowerCase(), echo)
  const socket = connectTcp(gateway.port, '127.0.0.1')
  socket.write(
    `GET /ann/${name.replaceAll(' ', '-').toLowerCase()}/realtime HTTP/1.1\r\nhost: x\r\nauthorization: Key ${gateway.keys.ann}\r\n` +
      'connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n' +
      'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  )
  const [head] = (await once(socket, 'data')) as [Buffer]
  expect(head.toString()).toMatch(/^HTTP\/1.1 101/)
  socket.on('error', () => {}).resume()
  socket.write(Buffer.from(bytes))
  await once(socket, 'end')
  socket.destroy()
  await vi.waitFor(() => expect(home.load().running).toBe(0), patient)
})

test('a handshake that is none is refused, and gives the slot back', async () => {
  const { home } = await addApp('no-key', echo)
  const socket = connectTcp(gateway.port, '127.0.0.1')
  socket.write(
    `GET /ann/no-key/realtime HTTP/1.1\r\nhost: x\r\nauthorization: Key ${gateway.keys.ann}\r\n` +
      'connection: upgrade\r\nupgrade: websocket\r\n\r\n',
  )
  const [head] = (await once(socket, 'data')) as [Buffer]
  expect(head.toString()).toMatch(/^HTTP\/1.1 400/)
  await vi.waitFor(() => expect(home.load().running).toBe(0), patient)
})

test.each(['0', '61', 'many', ''])('max_buffering=%s is refused', async (word) => {
  await addApp(`buffering-${word}`, echo)
  const headers = { authorization: `Key ${gateway.keys.ann}` }
  const url = `ws://127.0.0.1:${gateway.port}/ann/buffering-${word}/realtime?max_buffering=${word}`
  const [, answer] = await once(new WebSocket(url, { headers }), 'unexpected-response')
  expect(answer.statusCode).toBe(400)
})

test('a refusal of the app is what the caller gets', async () => {
  await addApp('refusing', echo, {
    upgrade: (_req, socket) => socket.end('HTTP/1.1 403 Forbidden\r\nx-app: no\r\ncontent-length: 4\r\n\r\nnope'),
  })
  const headers = { authorization: `Key ${gateway.keys.ann}` }
  const url = `ws://127.0.0.1:${gateway.port}/ann/refusing/realtime`
  const [, answer] = await once(new WebSocket(url, { headers }), 'unexpected-response')
  expect([answer.statusCode, answer.headers['x-app']]).toEqual([403, 'no'])
})

test('the app sees the query as it was sent, and no key', async () => {
  let seen: { url: string | undefined; names: string[] } | undefined
  const server = new WebSocketServer({ noServer: true })
  await addApp('asked', echo, {
    upgrade: (req, socket, head) => {
      seen = { url: req.url, names: Object.keys(req.headers) }
      server.handleUpgrade(req, socket, head, () => {})
    },
  })
  const headers = { authorization: `Key ${gateway.keys.ann}` }
  const finishRequest = (request: ClientRequest) => {
    request.path = "/ann/asked/realtime?a='b'&c=%2F"
    request.end()
  }
  const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/`, { headers, finishRequest })
  onTestFinished(() => socket.terminate())
  await once(socket, 'open')
  expect(seen?.url).toBe("/realtime?a='b'&c=%2F")
  expect(seen?.names).toContain('x-fal-request-id')
  expect(seen?.names).not.toContain('authorization')
})

test('under /ws a path that the deploy calls a WebSocket is the app’s own', async () => {
  await addApp('both', echo)
  const headers = { authorization: `Key ${gateway.keys.ann}` }
  const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/ws/ann/both/plain`, { headers })
  onTestFinished(() => socket.terminate())
  await once(socket, 'open')
  socket.send('hello')
  expect(String((await nextMessage(socket))[0])).toBe('hello')
})

test('a token that is not good any more is told so, and the connection is closed', async () => {
  await addApp('tokens', echo)
  const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/ann/tokens/realtime?fal_jwt_token=old`)
  const [message] = await once(socket, 'message')
  expect(JSON.parse(String(message))).toEqual({ status: 'error', error: 'Unauthorized' })
  expect((await once(socket, 'close'))[0]).toBe(1008)
})
