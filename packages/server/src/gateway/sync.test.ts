import { once } from 'node:events'
import { request, type ClientRequest, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { openTestGateway, type TestGateway } from '../testing/gateway.ts'
import { textOf } from '../testing/runner.ts'

let gateway: TestGateway
beforeAll(async () => (gateway = await openTestGateway()))
afterAll(() => gateway[Symbol.asyncDispose]())

/** A request whose pieces a test sends and reads itself. */
function raw(path: string, options: { method?: string; headers?: Record<string, string> } = {}): ClientRequest {
  const headers = { authorization: `Key ${gateway.keys.ann}`, ...options.headers }
  const outgoing = request({ host: '127.0.0.1', port: gateway.port, path, method: 'POST', ...options, headers })
  outgoing.on('error', () => {})
  return outgoing
}

async function answerTo(outgoing: ClientRequest): Promise<IncomingMessage> {
  const [answer]: IncomingMessage[] = await once(outgoing, 'response')
  return answer!
}

const parsed = (text: string): { headers: Record<string, string> } => JSON.parse(text)

test('a call reaches the app as it was made, and the answer its caller', async () => {
  await gateway.addApp('echo', {
    runner: async (req, res) => {
      const body = await textOf(req)
      res.writeHead(
        207,
        'Odd',
        [
          ['X-App', 'a'],
          ['X-App', 'b'],
          ['Content-Type', 'application/json'],
        ].flat(),
      )
      res.end(JSON.stringify({ method: req.method, url: req.url, headers: req.headers, body }))
    },
  })
  const answer = await gateway.fetch('/ann/echo/a//b%2Fc/?x=1&x=2', {
    method: 'PATCH',
    body: 'hello',
    headers: {
      'X-Mine': 'yes',
      'x-fal-queue-priority': 'low',
      'x-app-fal-upload-policy': '{"url":"u"}',
      te: 'trailers',
    },
  })
  expect(answer.status).toBe(207)
  expect(answer.statusText).toBe('Multi-Status')
  expect(answer.headers.get('x-app')).toBe('a, b')
  expect(answer.headers.get('x-fal-served-from')).toMatch(/^runner-/)
  const seen = parsed(await answer.text())
  expect(seen).toMatchObject({ method: 'PATCH', url: '/a//b%2Fc/?x=1&x=2', body: 'hello' })
  expect(seen.headers).toMatchObject({
    'x-mine': 'yes',
    'x-app-fal-upload-policy': '{"url":"u"}',
    'x-fal-endpoint': 'ann/echo/a//b%2Fc/',
    'x-fal-caller-user-id': 'account-ann',
    'x-fal-request-id': answer.headers.get('x-fal-request-id'),
  })
  expect(seen.headers).not.toHaveProperty('authorization')
  expect(seen.headers).not.toHaveProperty('x-fal-queue-priority')
})

test.each([
  [404, '{"detail":"mine"}'],
  [422, '{"detail":[{"loc":["body"],"msg":"m","type":"t"}]}'],
  [500, 'plain words'],
  [302, ''],
  [204, ''],
])('the answer %d of an app passes untouched', async (status, body) => {
  const name = `status-${status}`
  await gateway.addApp(name, {
    runner: (_req, res) => res.writeHead(status, { location: '/elsewhere', 'x-fal-error-type': 'app' }).end(body),
  })
  const answer = await gateway.fetch(`/ann/${name}`, { method: 'POST' })
  expect([answer.status, await answer.text(), answer.headers.get('location')]).toEqual([status, body, '/elsewhere'])
  expect(answer.headers.get('x-fal-request-id')).toMatch(/^[0-9a-f-]{36}$/)
})

test('every method passes, with and without a body', async () => {
  await gateway.addApp('methods', { runner: async (req, res) => res.end(`${req.method} ${await textOf(req)}`) })
  for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
    const answer = await gateway.fetch('/ann/methods', { method })
    expect(await answer.text()).toBe(`${method} `)
  }
  const json = { method: 'PUT', headers: { 'content-type': 'application/json' }, body: '' }
  expect(await (await gateway.fetch('/ann/methods', json)).text()).toBe('PUT ')
  expect((await gateway.fetch('/ann/methods', { method: 'HEAD' })).status).toBe(200)
  expect(
    await (
      await answerTo(raw('/ann/methods', { method: 'GET', headers: { 'content-length': '2' } }).end('hi'))
    ).toArray(),
  ).toEqual([Buffer.from('GET hi')])
})

describe('byte for byte', () => {
  /** What comes back for bytes that a test writes itself, up to the end of the connection. */
  async function said(...pieces: readonly (string | Buffer)[]): Promise<string> {
    const socket = connect({ host: '127.0.0.1', port: gateway.port })
    for (const piece of pieces) socket.write(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece)
    return (await buffer(socket)).toString('latin1')
  }
  const head = (line: string, ...more: string[]) =>
    [line, 'Host: localhost', 'Connection: close', `Authorization: Key ${gateway.keys.ann}`, ...more, '', ''].join(
      '\r\n',
    )

  test('Latin-1 passes in headers both ways, and whatever is encoded in the path', async () => {
    await gateway.addApp('latin', {
      runner: (req, res) =>
        void res.writeHead(200, { 'x-back': `ÿ${String(req.headers['x-there'])}`, 'x-path': req.url }).end(),
    })
    const answer = await said(head('GET /ann/latin/gr%FC%c3%9fe?%e9=%FC+%00 HTTP/1.1', 'X-There: caf\u00e9 \u00a0'))
    expect(answer).toContain('x-back: ÿcaf\u00e9')
    expect(answer).toContain('x-path: /gr%FC%c3%9fe?%e9=%FC+%00')
  })

  test('compression is left alone, both ways', async () => {
    const packed = gzipSync('words')
    let got = Buffer.alloc(0)
    await gateway.addApp('packed', {
      runner: async (req, res) => {
        got = await buffer(req)
        res.writeHead(200, { 'content-encoding': req.headers['content-encoding'] ?? 'none' }).end(got)
      },
    })
    const answer = await said(
      head('POST /ann/packed HTTP/1.1', 'Content-Encoding: gzip', `Content-Length: ${packed.length}`),
      packed,
    )
    expect(got.equals(packed)).toBe(true)
    expect(answer).toContain('content-encoding: gzip')
    expect(answer).toContain(packed.toString('latin1'))
  })

  test('chunks pass as they are, and trailers end here', async () => {
    let got: unknown
    await gateway.addApp('chunks', {
      runner: async (req, res) => {
        got = [await textOf(req), req.headers['trailer'], req.rawTrailers]
        res.writeHead(200, { trailer: 'x-end' })
        res.write('a')
        res.addTrailers({ 'x-end': 'yes' })
        res.end('b')
      },
    })
    const answer = await said(
      head('POST /ann/chunks HTTP/1.1', 'Transfer-Encoding: chunked', 'Trailer: x-sum'),
      '2\r\nhi\r\n0\r\nx-sum: 1\r\n\r\n',
    )
    expect(got).toEqual(['hi', undefined, []])
    expect(answer).toMatch(/1\r\na\r\n1\r\nb\r\n0\r\n\r\n$/)
  })

  test('who asks before sending is told to go on', async () => {
    await gateway.addApp('expecting', {
      runner: async (req, res) => res.end(`${await textOf(req)} ${req.headers['expect']}`),
    })
    const socket = connect({ host: '127.0.0.1', port: gateway.port })
    socket.write(head('POST /ann/expecting HTTP/1.1', 'Expect: 100-continue', 'Content-Length: 4'))
    const [first] = await once(socket, 'data')
    expect(String(first)).toBe('HTTP/1.1 100 Continue\r\n\r\n')
    socket.write('body')
    expect(String(await buffer(socket))).toContain('body undefined')
  })

  test('HEAD has the headers of the answer and no body', async () => {
    await gateway.addApp('heads', {
      runner: (_req, res) => void res.writeHead(200, { 'content-length': '5', etag: '"a"' }).end('words'),
    })
    const answer = await said(head('HEAD /ann/heads HTTP/1.1'))
    expect(answer).toMatch(/content-length: 5\r\n/)
    expect(answer).toMatch(/\r\n\r\n$/)
  })
})

test('bodies and answers are passed on as they come', async () => {
  await gateway.addApp('duplex', {
    runner: (req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
      req.pipe(res)
    },
  })
  const outgoing = raw('/ann/duplex')
  outgoing.write('one')
  const answer = await answerTo(outgoing)
  const [first] = await once(answer, 'data')
  outgoing.write('two')
  const [second] = await once(answer, 'data')
  expect([String(first), String(second)]).toEqual(['one', 'two'])
  outgoing.end()
  await once(answer, 'end')
})

test('a large body passes whole', async () => {
  await gateway.addApp('large', { runner: async (req, res) => res.end(String((await textOf(req)).length)) })
  const body = 'x'.repeat(1_000_000)
  expect(await (await gateway.fetch('/ann/large', { method: 'POST', body })).text()).toBe('1000000')
})

describe('a body over the limit', () => {
  test('is refused by its declared length, before anything runs', async () => {
    const app = await gateway.addApp('cold-large')
    const answer = await gateway.fetch('/ann/cold-large', { method: 'POST', body: 'x'.repeat(1_000_001) })
    expect([answer.status, await answer.json()]).toMatchObject([413, { error_type: 'body_too_large' }])
    expect(app.home.load().waiting).toBe(0)
  })

  test('is refused once it is too long, and the runner keeps its place', async () => {
    const app = await gateway.addApp('chunked-large', { runner: (req) => void req.resume() })
    const outgoing = raw('/ann/chunked-large')
    const answered = answerTo(outgoing)
    Readable.from(Array.from({ length: 40 }, () => Buffer.alloc(64 * 1024))).pipe(outgoing)
    expect((await answered).statusCode).toBe(413)
    await vi.waitFor(() => expect(app.home.load().running).toBe(0))
    expect(gateway.verdicts.filter(({ reason }) => reason === 'crash')).toEqual([])
    outgoing.destroy()
  })
})

test.each(['leaves', 'sends more than is allowed'])(
  'a caller that %s while the answer comes already does its runner no harm',
  async (how) => {
    const name = `early-${how.length}`
    const app = await gateway.addApp(name, { runner: (req, res) => (res.write('first words'), void req.resume()) })
    const before = gateway.verdicts.length
    const outgoing = raw(`/ann/${name}`)
    outgoing.write('x')
    const answer = await answerTo(outgoing)
    answer.on('error', () => {}).resume()
    if (how === 'leaves') outgoing.destroy()
    else Readable.from(Array.from({ length: 40 }, () => Buffer.alloc(64 * 1024))).pipe(outgoing)
    await vi.waitFor(() => expect(app.home.load().running).toBe(0), 10_000)
    expect(gateway.verdicts.slice(before)).toEqual([])
    outgoing.destroy()
  },
)

describe('when the caller leaves', () => {
  test('the app is asked to stop, and its slot stays taken until it has', async () => {
    const cancelled: unknown[] = []
    let finish = () => {}
    const app = await gateway.addApp('slow', {
      scale: { max_multiplexing: 1 },
      runner: (req, res) => {
        cancelled.push(req.headers['x-fal-request-id'])
        if (req.url === '/work/cancel') res.end()
        else finish = () => res.writeHead(499).end()
      },
    })
    const outgoing = raw('/ann/slow/work?x=1').end()
    await vi.waitFor(() => expect(cancelled).toHaveLength(1))
    outgoing.destroy()
    await vi.waitFor(() => expect(cancelled).toHaveLength(2), 10_000)
    expect(cancelled[0]).toBe(cancelled[1])
    expect(app.home.load().running).toBe(1)
    finish()
    await vi.waitFor(() => expect(app.home.load().running).toBe(0))
    expect(gateway.verdicts.filter(({ reason }) => reason === 'crash')).toEqual([])
  })

  test('a stream to it is closed', async () => {
    let closed = false
    const app = await gateway.addApp('ticking', {
      runner: (req, res) => {
        if (req.url === '/cancel') res.end()
        else {
          res.writeHead(200, { 'content-type': 'text/event-stream' })
          const timer = setInterval(() => res.write('data: 1\n\n'), 5)
          res.once('close', () => (clearInterval(timer), (closed = true)))
        }
      },
    })
    const outgoing = raw('/ann/ticking').end()
    const answer = await answerTo(outgoing)
    await once(answer, 'data')
    outgoing.destroy()
    await vi.waitFor(() => expect(closed).toBe(true), 10_000)
    await vi.waitFor(() => expect(app.home.load().running).toBe(0))
  })

  test('it no longer waits for a slot', async () => {
    const app = await gateway.addApp('cold')
    const outgoing = raw('/ann/cold').end()
    await vi.waitFor(() => expect(app.home.load().waiting).toBe(1))
    outgoing.destroy()
    await vi.waitFor(() => expect(app.home.load().waiting).toBe(0), 10_000)
  })
})

test('a call waits while a runner starts', async () => {
  const app = await gateway.addApp('starting')
  const answer = gateway.fetch('/ann/starting', { method: 'POST' })
  await vi.waitFor(() => expect(app.home.load().waiting).toBe(1))
  await gateway.serveBy(app, (_req, res) => res.end('here'))
  expect(await (await answer).text()).toBe('here')
})

describe('deadlines', () => {
  test('a start deadline ends the wait, in the words that stop clients from trying again', async () => {
    await gateway.addApp('never')
    const answer = await gateway.fetch('/ann/never', { method: 'POST', headers: { 'x-fal-request-timeout': '0.2' } })
    expect(answer.status).toBe(504)
    expect(answer.headers.get('x-fal-request-timeout-type')).toBe('user')
    expect(answer.headers.get('x-fal-error-type')).toBe('request_timeout')
    expect(answer.headers.get('x-fal-request-id')).toBeTruthy()
    expect(await answer.json()).toMatchObject({ error_type: 'request_timeout' })
  })

  test("the app's own start limit counts for its owner", async () => {
    await gateway.addApp('preset', { authMode: 'shared', scale: { request_start_timeout: 0.2 } })
    expect((await gateway.fetch('/ann/preset')).headers.get('x-fal-request-timeout-type')).toBe('user')
  })

  test('a malformed one is refused', async () => {
    const answer = await gateway.fetch('/ann/never', { headers: { 'x-fal-request-timeout': 'soon' } })
    expect([answer.status, await answer.json()]).toMatchObject([400, { error_type: 'bad_request' }])
  })

  test('request_timeout ends the call and the runner', async () => {
    const app = await gateway.addApp('stuck', { scale: { request_timeout: 0.2 }, runner: () => {} })
    const answer = await gateway.fetch('/ann/stuck', { method: 'POST' })
    expect([answer.status, await answer.json()]).toMatchObject([504, { error_type: 'request_timeout' }])
    expect(answer.headers.get('x-fal-request-timeout-type')).toBeNull()
    expect(gateway.verdicts.at(-1)).toMatchObject({ verdict: 'terminate', reason: 'request_timeout' })
    expect(app.home.reserve('another')).toBeUndefined()
  })
})

describe('when the runner fails', () => {
  test('for wanting too much, the caller is told of what', async () => {
    await using other = await openTestGateway({ whatExceeded: async () => 'oom' })
    await other.addApp('big', { runner: (req) => void req.socket.destroy() })
    const answer = await other.fetch('/ann/big', { method: 'POST' })
    const told = {
      error_type: 'runner_disconnected',
      detail: expect.stringContaining('than its machine type has (oom)'),
    }
    expect([answer.status, await answer.json()]).toMatchObject([503, told])
  })

  test('the caller is told, and the runner ends', async () => {
    await gateway.addApp('gone', { runner: (req) => void req.socket.destroy() })
    const answer = await gateway.fetch('/ann/gone', { method: 'POST' })
    expect([answer.status, await answer.json()]).toMatchObject([503, { error_type: 'runner_disconnected' }])
    expect(gateway.verdicts.at(-1)).toMatchObject({ verdict: 'terminate', reason: 'crash' })
  })

  test('a closed port is told apart', async () => {
    const app = await gateway.addApp('closed')
    app.home.setRunners([{ id: 'r-closed', revisionId: 'x', address: { host: '127.0.0.1', port: 1 } }])
    const answer = await gateway.fetch('/ann/closed', { method: 'POST' })
    expect([answer.status, await answer.json()]).toMatchObject([503, { error_type: 'runner_connection_refused' }])
  })

  test('an answer that breaks off breaks off for the caller', async () => {
    await gateway.addApp('torn', {
      runner: (_req, res) => {
        res.writeHead(200, { 'content-length': '100000' })
        res.write('x'.repeat(70_000), () => res.destroy())
      },
    })
    const answer = await gateway.fetch('/ann/torn', { method: 'POST' })
    expect(answer.status).toBe(200)
    await expect(answer.text()).rejects.toThrow()
    await vi.waitFor(() => expect(gateway.verdicts.at(-1)).toMatchObject({ verdict: 'terminate' }))
  })

  test('a 503 of the app passes, and ends the runner', async () => {
    await gateway.addApp('sick', {
      runner: (_req, res) => res.writeHead(503, { 'x-fal-needs-retry': '1' }).end('sick'),
    })
    const answer = await gateway.fetch('/ann/sick', { method: 'POST' })
    expect([answer.status, await answer.text()]).toEqual([503, 'sick'])
    await vi.waitFor(() =>
      expect(gateway.verdicts.at(-1)).toMatchObject({ verdict: 'terminate', reason: 'app_requested' }),
    )
  })
})

describe('a runner that says what it is good for', () => {
  test('gets the calls that hint at just that, straight and through the queue', async () => {
    const app = await gateway.addApp('hinting')
    const names = new Map<string, string>()
    const serving = await Promise.all(
      ['red', 'blue'].map((colour) =>
        gateway.serveBy(
          app,
          (_req, res) => void res.writeHead(200, { 'x-fal-runner-hints': `${colour},any` }).end(colour),
        ),
      ),
    )
    app.home.setRunners(serving)
    for (let call = 0; call < 2; call += 1) {
      const answer = await gateway.fetch('/ann/hinting', { method: 'POST' })
      const colour = await answer.text()
      names.set(colour, answer.headers.get('x-fal-served-from') ?? '')
      expect(answer.headers.get('x-fal-runner-hints')).toBe(`${colour},any`) // passes, for whoever routes further out
    }
    expect(names.size).toBe(2)
    const hinted = (hint: string) => ({ method: 'POST', headers: { 'x-fal-runner-hint': hint } })
    for (const colour of ['red', 'red', 'blue', 'red', 'blue', 'blue']) {
      expect(await (await gateway.fetch('/ann/hinting', hinted(colour))).text()).toBe(colour)
      const submitted = await gateway.fetch('/queue/ann/hinting', hinted(colour))
      const { response_url: url }: { response_url: string } = JSON.parse(await submitted.text())
      await vi.waitFor(
        async () => expect(await (await gateway.fetch(new URL(url).pathname)).text()).toBe(colour),
        10_000,
      )
    }
    expect((await gateway.fetch('/ann/hinting', hinted('green'))).status).toBe(200)
  })

  test('and one whose app wants its health looked at is looked at, which its caller need not know', async () => {
    await gateway.addApp('unsure', {
      runner: (_req, res) => void res.writeHead(200, { 'x-fal-runner-health-check': 'true' }).end(),
    })
    const answer = await gateway.fetch('/ann/unsure', { method: 'POST' })
    expect(answer.headers.get('x-fal-runner-health-check')).toBeNull()
    await vi.waitFor(() => expect(gateway.verdicts.at(-1)).toMatchObject({ verdict: 'probe', reason: 'health_check' }))
  })
})

test('headers of an answer beyond 16 KiB fail it, and the runner stays', async () => {
  const app = await gateway.addApp('wordy', {
    runner: (_req, res) => void res.writeHead(200, { 'x-a': 'x'.repeat(17_000) }).end(),
  })
  const before = gateway.verdicts.length
  const answer = await gateway.fetch('/ann/wordy', { method: 'POST' })
  expect([answer.status, await answer.json()]).toMatchObject([
    502,
    { error_type: 'runner_incomplete_response', detail: expect.stringContaining('16 KiB') },
  ])
  expect(gateway.verdicts.slice(before)).toEqual([])
  expect(app.home.load().running).toBe(0)
})

describe('for browsers', () => {
  const origin = 'https://page.example'

  test('preflights are answered here, without a key and without the app', async () => {
    const answer = await gateway.fetch('/ann/whatever/x', {
      key: null,
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'PUT',
        'access-control-request-headers': 'authorization,x-any',
      },
    })
    expect(answer.status).toBe(204)
    expect(answer.headers.get('access-control-allow-origin')).toBe('*')
    expect(answer.headers.get('access-control-allow-methods')).toBe('PUT')
    expect(answer.headers.get('access-control-allow-headers')).toBe('authorization,x-any')
  })

  test('answers and errors may be read, with the headers that clients need', async () => {
    await gateway.addApp('plain', { runner: (_req, res) => res.end('ok') })
    for (const path of ['/ann/plain', '/ann/unknown']) {
      const answer = await gateway.fetch(path, { headers: { origin } })
      expect(answer.headers.get('access-control-allow-origin')).toBe('*')
      expect(answer.headers.get('access-control-expose-headers')).toContain('x-fal-request-id')
    }
  })

  test("an app's own word on origins stands", async () => {
    const own = { 'access-control-allow-origin': origin, 'access-control-expose-headers': 'x-mine' }
    await gateway.addApp('picky', { runner: (_req, res) => res.writeHead(200, own).end() })
    const { headers } = await gateway.fetch('/ann/picky', { headers: { origin } })
    expect(headers.get('access-control-allow-origin')).toBe(origin)
    expect(headers.get('access-control-expose-headers')).toMatch(/^x-mine, .*x-fal-request-id/)
  })
})

test('what is for the REST door is left to it, under the path it knows', async () => {
  expect(await (await gateway.fetch('/users/current')).text()).toBe('rest /users/current')
  const proxied = { headers: { 'x-fal-target-url': 'https://rest.fal.ai/tokens/?a=b' } }
  expect(await (await gateway.fetch('/proxy', proxied)).text()).toBe('rest /tokens/?a=b')
})

test('calls that were meant for another host are served here', async () => {
  await gateway.addApp('proxied', { runner: async (req, res) => res.end(`${req.url} ${await textOf(req)}`) })
  const headers = { 'x-fal-target-url': 'https://fal.run/ann/proxied/x?y=1' }
  const answer = await gateway.fetch('/api/fal/proxy', { method: 'POST', body: 'in', headers })
  expect(await answer.text()).toBe('/x?y=1 in')
})
