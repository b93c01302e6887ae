import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { request, type ClientRequest, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { openTestGateway, type TestGateway } from '../testing/gateway.ts'

/*
 * What a server that knows nothing of this platform is sent, and what of its answers its callers get: every row is
 * something that one could notice which was made to listen on a port by itself.
 */

let gateway: TestGateway
beforeAll(async () => (gateway = await openTestGateway()))
afterAll(() => gateway[Symbol.asyncDispose]())

/** A request as the server got it. */
interface Got {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

type Upgrade = (req: IncomingMessage, socket: Duplex, head: Buffer) => void

/** An app that is a server of its own, with what it gets. */
async function serverNamed(name: string, answer: RequestListener, upgrade?: Upgrade): Promise<Got[]> {
  const got: Got[] = []
  const take = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const body = await buffer(req)
    got.push({ method: req.method ?? '', url: req.url ?? '', headers: req.headers, body })
    answer(req, res)
  }
  const runner: RequestListener = (req, res) => void take(req, res).catch(() => {})
  await gateway.addApp(name, { isOwnServer: true, runner, ...(upgrade ? { upgrade } : {}) })
  return got
}

interface Sent {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: Buffer | string
}

/** Sends a request as it stands here: `fetch` would change some of it. */
function send(path: string, { method = 'GET', headers = {}, body }: Sent = {}): ClientRequest {
  const all = { authorization: `Key ${gateway.keys.ann}`, ...headers }
  const outgoing = request({ host: '127.0.0.1', port: gateway.port, path, method, headers: all })
  outgoing.on('error', () => {})
  outgoing.end(body)
  return outgoing
}

async function ask(path: string, sent?: Sent) {
  const [answer]: IncomingMessage[] = await once(send(path, sent), 'response')
  return { answer: answer!, body: await buffer(answer!) }
}

const allBytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))

describe('it gets', () => {
  let got: Got[]
  beforeAll(async () => {
    got = await serverNamed('any', (_req, res) => res.end('ok'))
  })

  test.each(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'M-SEARCH', 'PURGE'])(
    'the method %s',
    async (method) => {
      expect((await ask('/ann/any/thing', { method })).answer.statusCode).toBe(200)
      expect(got.at(-1)).toMatchObject({ method, url: '/thing' })
    },
  )

  test.each([
    ['', '/'],
    ['/', '/'],
    ['?q=1', '/?q=1'],
    ['/a//b///', '/a//b///'],
    ['/a%2Fb%20c/%E2%82%AC', '/a%2Fb%20c/%E2%82%AC'],
    ['/up/../and/./down', '/up/../and/./down'],
    ['/x?a=1&a=2&b&c=%20+&fal_webhook=mine', '/x?a=1&a=2&b&c=%20+&fal_webhook=mine'],
    ['/x?', '/x?'],
    ['/health', '/health'],
    ['/openapi.json', '/openapi.json'],
    ['/requests/1/status', '/requests/1/status'],
    ['/requests/019ac0de-0000-7000-8000-000000000000/cancel', '/requests/019ac0de-0000-7000-8000-000000000000/cancel'],
    ['/v1/keys', '/v1/keys'],
    ['/queue/ann/any', '/queue/ann/any'],
    ['/~user/;p=1/$&!()*,@:=', '/~user/;p=1/$&!()*,@:='],
  ])('the path %j', async (path, url) => {
    await ask(`/ann/any${path}`, { method: 'DELETE' })
    expect(got.at(-1)).toMatchObject({ method: 'DELETE', url })
  })

  test.each<[string, Sent]>([
    ['bytes of any kind', { method: 'POST', headers: { 'content-type': 'image/png' }, body: allBytes }],
    [
      'a form',
      { method: 'POST', headers: { 'content-type': 'multipart/form-data; boundary=x' }, body: '--x\r\n\r\n--x--' },
    ],
    ['JSON that is none', { method: 'PUT', headers: { 'content-type': 'application/json' }, body: '{"half' }],
    ['a body with a GET', { headers: { 'content-length': '3' }, body: 'abc' }],
    ['a body with a DELETE', { method: 'DELETE', headers: { 'content-length': '3' }, body: 'abc' }],
    ['no body with a POST', { method: 'POST', body: '' }],
    ['a body in chunks', { method: 'POST', headers: { 'transfer-encoding': 'chunked' }, body: 'a'.repeat(100_000) }],
  ])('%s', async (_what, sent) => {
    expect((await ask('/ann/any/body', sent)).answer.statusCode).toBe(200)
    const { body, method, headers } = got.at(-1)!
    expect([method, body]).toEqual([sent.method ?? 'GET', Buffer.from(sent.body ?? '')])
    expect(headers['content-type']).toBe(sent.headers?.['content-type'])
  })

  test('the headers of its caller, but for the key and what is for the platform', async () => {
    const headers = {
      cookie: 'a=1; b=2',
      'x-api-key': 'its own',
      'accept-encoding': 'br, gzip',
      'if-none-match': '"1"',
      range: 'bytes=0-1',
      origin: 'https://example.com',
      'x-forwarded-for': '192.0.2.1',
      'user-agent': 'mine/1',
    }
    await ask('/ann/any', { headers: { ...headers, 'x-fal-request-timeout': '9' } })
    expect(got.at(-1)?.headers).toMatchObject(headers)
    expect(Object.keys(got.at(-1)?.headers ?? {}).filter((name) => /^(authorization|x-carrick)/.test(name))).toEqual([])
    expect(got.at(-1)?.headers).not.toHaveProperty('x-fal-request-timeout')
  })

  test('through the queue: the same path, query, headers and bytes, as a POST', async () => {
    for (const path of ['', '/a//b%2Fc/?x=1&x=2', '/requests/1/status', '/v1/chat/completions']) {
      const submitted = await gateway.fetch(`/queue/ann/any${path}`, {
        method: 'POST',
        body: allBytes,
        headers: { 'content-type': 'audio/wav', 'x-api-key': 'its own' },
      })
      const { response_url: url } = (await submitted.json()) as { response_url: string }
      await expect.poll(async () => (await gateway.fetch(new URL(url).pathname)).status).toBe(200)
      expect(got.at(-1)).toMatchObject({
        method: 'POST',
        url: path === '' ? '/' : path,
        headers: { 'content-type': 'audio/wav', 'x-api-key': 'its own', 'content-length': '256' },
        body: allBytes,
      })
    }
  })

  test('nothing that nobody asked for: no health check, no look for what it can', async () => {
    const before = got.length
    await ask('/ann/any/once')
    expect(got.slice(before).map(({ method, url }) => `${method} ${url}`)).toEqual(['GET /once'])
  })
})

describe('its caller gets', () => {
  const page = Buffer.from('<h1>here</h1>')
  test.each<[string, RequestListener, { status: number; headers?: object; body?: Buffer }]>([
    ['a page', (_, res) => res.writeHead(200, { 'content-type': 'text/html' }).end(page), { status: 200, body: page }],
    ['all bytes', (_, res) => res.end(allBytes), { status: 200, body: allBytes }],
    ['no content', (_, res) => res.writeHead(204).end(), { status: 204, body: Buffer.alloc(0) }],
    ['not modified', (_, res) => res.writeHead(304, { etag: '"1"' }).end(), { status: 304, headers: { etag: '"1"' } }],
    [
      'a part',
      (_, res) => res.writeHead(206, { 'content-range': 'bytes 0-1/9' }).end('ab'),
      { status: 206, headers: { 'content-range': 'bytes 0-1/9' } },
    ],
    [
      'a status that is nobody’s',
      (_, res) => res.writeHead(299, 'Odd').end('x'),
      { status: 299, body: Buffer.from('x') },
    ],
    ['an error of its own', (_, res) => res.writeHead(418).end('teapot'), { status: 418, body: Buffer.from('teapot') }],
    [
      'several cookies',
      (_, res) =>
        res
          .writeHead(
            200,
            [
              ['set-cookie', 'a=1'],
              ['set-cookie', 'b=2'],
            ].flat(),
          )
          .end(),
      { status: 200, headers: { 'set-cookie': ['a=1', 'b=2'] } },
    ],
    [
      'what it says of other origins',
      (_, res) => res.writeHead(200, { 'access-control-allow-origin': 'https://one.example' }).end(),
      { status: 200, headers: { 'access-control-allow-origin': 'https://one.example' } },
    ],
    [
      'a redirect below itself',
      (_, res) => res.writeHead(302, { location: '../other?x=1' }).end(),
      { status: 302, headers: { location: '../other?x=1' } },
    ],
    [
      'a redirect to somebody else',
      (_, res) => res.writeHead(301, { location: 'https://example.com/' }).end(),
      { status: 301, headers: { location: 'https://example.com/' } },
    ],
    [
      'what comes after an early hint',
      (_, res) => res.writeEarlyHints({ link: '</a>; rel=preload' }, () => res.end('late')),
      { status: 200, body: Buffer.from('late') },
    ],
  ])('%s', async (what, answer, expected) => {
    const name = `answers-${createHash('md5').update(what).digest('hex').slice(0, 6)}`
    await serverNamed(name, answer)
    const { answer: got, body } = await ask(`/ann/${name}/x`, { headers: { origin: 'https://one.example' } })
    expect(got.statusCode).toBe(expected.status)
    expect(got.headers).toMatchObject(expected.headers ?? {})
    if (expected.body) expect(body).toEqual(expected.body)
  })

  test('a redirect that it made from the host it was called by, below the app', async () => {
    await serverNamed('slashes', (req, res) => {
      res.writeHead(307, { location: `http://${req.headers.host}${req.url?.replace('?', '/?')}` }).end()
    })
    const { answer } = await ask('/ann/slashes/items?x=1')
    expect(answer.headers.location).toBe('/ann/slashes/items/?x=1')
  })

  test('the length that a HEAD is told, and no body', async () => {
    await serverNamed('headed', (_req, res) => res.writeHead(200, { 'content-length': '123456' }).end())
    const { answer, body } = await ask('/ann/headed/file', { method: 'HEAD' })
    expect([answer.headers['content-length'], body.length]).toEqual(['123456', 0])
  })

  test('an answer as HTTP/1.0 ends it: with the connection', async () => {
    await serverNamed('old', (_req, res) => {
      res.socket?.end('HTTP/1.0 200 OK\r\nServer: BaseHTTP/0.6\r\nContent-Type: text/plain\r\n\r\nold')
    })
    const { answer, body } = await ask('/ann/old')
    expect([answer.statusCode, answer.headers['server'], body.toString()]).toEqual([200, 'BaseHTTP/0.6', 'old'])
    expect((await ask('/ann/old')).body.toString()).toBe('old')
    expect(gateway.verdicts).toEqual([])
  })

  test('events one by one, as they are sent', async () => {
    const { promise: next, resolve: sendNext } = Promise.withResolvers<void>()
    await serverNamed('events', (_req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n')
      void next.then(() => res.end('event: done\ndata: [DONE]\n\n'))
    })
    const [answer]: IncomingMessage[] = await once(send('/ann/events/stream'), 'response')
    const [first] = await once(answer!, 'data')
    expect(String(first)).toBe('data: 1\n\n')
    sendNext()
    expect((await buffer(answer!)).toString()).toBe('event: done\ndata: [DONE]\n\n')
  })
})

describe('over a WebSocket', () => {
  test.each(['/', '/ws', '/realtime', '/deep/er?room=1', '/socket.io/?EIO=4&transport=websocket'])(
    'on %s it speaks as it likes',
    async (path) => {
      const sockets = new WebSocketServer({
        noServer: true,
        perMessageDeflate: true,
        handleProtocols: ([first]) => first ?? false,
      })
      const urls: (string | undefined)[] = []
      const name = `socket-${createHash('md5').update(path).digest('hex').slice(0, 6)}`
      await serverNamed(
        name,
        () => {},
        (req, socket, head) => {
          urls.push(req.url)
          sockets.handleUpgrade(req, socket, head, (peer) =>
            peer.on('message', (data, isBinary) => peer.send(data, { binary: isBinary })),
          )
        },
      )
      const client = new WebSocket(`ws://127.0.0.1:${gateway.port}/ann/${name}${path}`, ['graphql-ws', 'other'], {
        headers: { authorization: `Key ${gateway.keys.ann}` },
      })
      await once(client, 'open')
      client.send('{"not": "msgpack"}')
      expect((await once(client, 'message')).map(String)).toEqual(['{"not": "msgpack"}', 'false'])
      client.send(allBytes)
      expect(await once(client, 'message')).toEqual([allBytes, true])
      expect([client.protocol, client.extensions, urls]).toEqual(['graphql-ws', 'permessage-deflate', [path]])
      client.close(4001, 'mine')
      expect((await once(client, 'close')).map(String)).toEqual(['4001', 'mine'])
    },
  )

  test('what it refuses is refused in its own words', async () => {
    await serverNamed(
      'closed',
      () => {},
      (_req, socket) => socket.end('HTTP/1.1 426 Upgrade Required\r\nX-Mine: yes\r\nContent-Length: 2\r\n\r\nno'),
    )
    const client = new WebSocket(`ws://127.0.0.1:${gateway.port}/ann/closed/ws`, {
      headers: { authorization: `Key ${gateway.keys.ann}` },
    })
    const [, answer]: [ClientRequest, IncomingMessage] = (await once(client, 'unexpected-response')) as never
    expect([answer.statusCode, answer.headers['x-mine'], (await buffer(answer)).toString()]).toEqual([426, 'yes', 'no'])
  })
})

describe('who leaves', () => {
  /** A server that never answers, and when connections to it close. */
  async function silentServer(name: string) {
    const left: string[] = []
    const got = await serverNamed(name, (req, res) => void res.once('close', () => left.push(req.url ?? '')))
    return { got, left }
  }

  test('is to it a connection that closes, and its slot is free', async () => {
    const { got, left } = await silentServer('left')
    const outgoing = send('/ann/left/work', { method: 'POST', body: 'x' })
    await expect.poll(() => got.length).toBe(1)
    outgoing.destroy()
    await expect.poll(() => left).toEqual(['/work'])
    await expect
      .poll(() => [...gateway.homes.of('app-left').load().runners.values()].map(({ inFlight }) => inFlight))
      .toEqual([0])
    expect(got.map(({ url }) => url)).toEqual(['/work'])
    expect(gateway.verdicts).toEqual([])
  })

  test('after the answer has begun as well', async () => {
    const left: string[] = []
    await serverNamed('streams', (req, res) => {
      res.once('close', () => left.push(req.url ?? '')).write('begun')
    })
    const outgoing = send('/ann/streams/on')
    const [answer]: IncomingMessage[] = await once(outgoing, 'response')
    await once(answer!, 'data')
    outgoing.destroy()
    await expect.poll(() => left).toEqual(['/on'])
  })

  test('the queue by a cancel ends cancelled, whether it has begun to answer or not', async () => {
    const { got, left } = await silentServer('queued')
    const submitted = await gateway.fetch('/queue/ann/queued/long', { method: 'POST', body: '{}' })
    const { response_url, cancel_url } = (await submitted.json()) as Record<string, string>
    await expect.poll(() => got.length).toBe(1)
    expect((await gateway.fetch(new URL(cancel_url!).pathname, { method: 'PUT' })).status).toBe(202)
    await expect.poll(() => left).toEqual(['/long'])
    await expect.poll(async () => (await gateway.fetch(new URL(response_url!).pathname)).status).toBe(499)
    expect(await (await gateway.fetch(new URL(response_url!).pathname)).json()).toMatchObject({
      error_type: 'client_cancelled',
    })
    expect(got.map(({ url }) => url)).toEqual(['/long'])
    expect(gateway.verdicts).toEqual([])
  })
})
