import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { get as getHttp } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { get as getHttps } from 'node:https'
import { buffer, text } from 'node:stream/consumers'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { openTestFront, type TestFront } from '../testing/front.ts'
import { createFront } from './front.ts'

describe('one port', () => {
  test('answers HTTP/1.1 and HTTPS', async () => {
    await using at = await openTestFront()
    expect(await textOf(getHttp(`http://127.0.0.1:${at.port}/`))).toBe('http/1.1 in the clear')
    expect(await textOf(getHttps(`https://localhost:${at.port}/`, { ca: at.caPem }))).toBe('http/1.1 over TLS')
  })

  test('answers HTTP/2 with prior knowledge, and over TLS', async () => {
    await using at = await openTestFront()
    expect(await overHttp2(`http://127.0.0.1:${at.port}`)).toBe('h2 in the clear')
    expect(await overHttp2(`https://localhost:${at.port}`, at.caPem)).toBe('h2 over TLS')
  })

  test('upgrades to WebSocket, plain and over TLS', async () => {
    const sockets = new WebSocketServer({ noServer: true })
    await using at = await openTestFront({
      upgrade: (request, socket, head) => sockets.handleUpgrade(request, socket, head, (peer) => peer.send('welcome')),
    })
    expect(await firstMessage(new WebSocket(`ws://127.0.0.1:${at.port}/`))).toBe('welcome')
    expect(await firstMessage(new WebSocket(`wss://localhost:${at.port}/`, { ca: at.caPem }))).toBe('welcome')
  })

  test('carries megabytes in one HTTP/2 message and back', async () => {
    await using at = await openTestFront({ grpc: (request, response) => void request.pipe(response) })
    const session = connectHttp2(`http://127.0.0.1:${at.port}`, { maxSessionMemory: 128 })
    const sent = randomBytes(20 * 1024 * 1024)
    const stream = session.request({ ':method': 'POST' })
    stream.end(sent)
    expect((await buffer(stream)).equals(sent)).toBe(true)
    session.close()
  })

  test('lets an HTTP/2 client ping without calls', async () => {
    await using at = await openTestFront()
    const session = connectHttp2(`http://127.0.0.1:${at.port}`)
    for (let sent = 0; sent < 200; sent += 1) await new Promise((resolve) => session.ping(resolve))
    expect(session.closed).toBe(false)
    session.close()
  })
})

describe('over TLS', () => {
  test.each([
    { offered: ['h2', 'http/1.1'], chosen: 'http/1.1' },
    { offered: ['http/1.1'], chosen: 'http/1.1' },
    { offered: ['h2'], chosen: 'h2' },
    { offered: undefined, chosen: false },
  ])('a client that offers $offered gets $chosen', async ({ offered, chosen }) => {
    await using at = await openTestFront()
    const socket = await opened(at, offered === undefined ? {} : { ALPNProtocols: offered })
    expect(socket.alpnProtocol).toBe(chosen)
    socket.destroy()
  })

  test('a session is resumed by its ticket', async () => {
    await using at = await openTestFront()
    const first = await opened(at)
    first.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
    const [ticket] = await once(first, 'session')
    first.destroy()
    const second = await opened(at, { session: ticket })
    expect(second.isSessionReused()).toBe(true)
    second.destroy()
  })

  test('a handshake that stalls is cut, also when it drips', async () => {
    await using at = await openTestFront({ limits: { handshakeMs: 150 } })
    const socket = at.dial()
    const drip = setInterval(() => socket.write('\x01'), 20)
    socket.write(Buffer.from([0x16, 3, 1, 0x3f, 0xff, 1, 0, 0x3f, 0xfb]))
    await ended(socket)
    clearInterval(drip)
  })

  test('a reset in the middle of the handshake leaves the server as it was', async () => {
    await using at = await openTestFront()
    for (let round = 0; round < 20; round += 1) {
      const socket = at.dial()
      await once(socket, 'connect')
      socket.write(Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc]))
      socket.resetAndDestroy()
    }
    await answers(at)
  })
})

describe('a bad connection is closed:', () => {
  test('one that says nothing', async () => {
    await using at = await openTestFront({ limits: { greetingMs: 100 } })
    await ended(at.dial())
    await expect.poll(() => at.front.connections).toBe(0)
  })

  test('one that stops after three letters', async () => {
    await using at = await openTestFront({ limits: { greetingMs: 100 } })
    const socket = at.dial()
    socket.write('PRI')
    await ended(socket)
  })

  test('one whose HTTP/2 settings never come', async () => {
    await using at = await openTestFront({ limits: { prefaceMs: 100 } })
    const socket = at.dial()
    socket.write('PRI * HT')
    await ended(socket)
  })

  test('an HTTP/2 connection that stands still', async () => {
    await using at = await openTestFront({ limits: { idleMs: 100 } })
    const session = connectHttp2(`http://127.0.0.1:${at.port}`)
    await once(session, 'close')
  })

  test('one whose headers drip', async () => {
    await using at = await openTestFront({ limits: { headersMs: 200 } })
    const socket = at.dial()
    socket.write('GET / HTTP/1.1\r\n')
    const drip = setInterval(() => socket.write('x: y\r\n'), 20)
    expect(await text(socket)).toContain('408')
    clearInterval(drip)
  })

  test('one that owes the rest of its body', async () => {
    await using at = await openTestFront({ limits: { stallMs: 100 }, http: (request) => void request.resume() })
    const socket = at.dial()
    socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n12')
    await ended(socket)
  })

  test('one with oversized headers, told so with a 431', async () => {
    await using at = await openTestFront()
    const socket = at.dial()
    socket.write(`GET / HTTP/1.1\r\nhost: x\r\nlarge: ${'x'.repeat(200_000)}\r\n\r\n`)
    expect(await text(socket)).toMatch(/^HTTP\/1.1 431 Request Header Fields Too Large\r\n/)
  })

  test('one that speaks garbage, told so with a 400', async () => {
    await using at = await openTestFront()
    const socket = at.dial()
    socket.write('\x00\x01garbage\r\n\r\n')
    expect(await text(socket)).toMatch(/^HTTP\/1.1 400 Bad Request\r\n/)
  })

  test('one that closes its half before it says anything', async () => {
    await using at = await openTestFront()
    const socket = at.dial()
    socket.end()
    await ended(socket)
  })

  test('one more than the limit allows', async () => {
    await using at = await openTestFront({ limits: { connections: 3 } })
    const held = [at.dial(), at.dial(), at.dial()]
    await Promise.all(held.map((socket) => once(socket, 'connect')))
    await ended(at.dial())
    held.forEach((socket) => socket.destroy())
    await expect.poll(() => at.front.connections, { timeout: 10_000 }).toBe(0)
    await answers(at)
  })
})

test('five hundred connections that begin with random bytes never end the server', async () => {
  await using at = await openTestFront({
    limits: { greetingMs: 200, handshakeMs: 200, prefaceMs: 200, headersMs: 200 },
  })
  const openings = [
    '',
    '\x16',
    '\x16\x03\x01',
    'PRI ',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'GET / HTTP/1.1\r\n',
    'POST ',
  ]
  const attempts = Array.from({ length: 500 }, async (_, index) => {
    const socket = at.dial()
    const opening = Buffer.from(openings[index % openings.length] ?? '', 'latin1')
    const blob = Buffer.concat([opening, randomBytes(1 + ((index * 37) % 2_000))])
    if (index % 3 === 0) socket.end(blob)
    else socket.write(blob)
    if (index % 3 === 1) socket.once('connect', () => socket.resetAndDestroy())
    await ended(socket)
  })
  await Promise.all(attempts)
  await answers(at)
})

describe('an exchange that waits for us', () => {
  test('is left alone however long it takes', async () => {
    await using at = await openTestFront({
      limits: { stallMs: 50 },
      http: (_request, response) => void setTimeout(() => response.end('at last'), 400),
    })
    expect(await textOf(getHttp(`http://127.0.0.1:${at.port}/`))).toBe('at last')
  })

  test('is not ended by a client that offers h2c', async () => {
    await using at = await openTestFront()
    const headers = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABk' }
    expect(await textOf(getHttp(`http://127.0.0.1:${at.port}/`, { headers }))).toBe('http/1.1 in the clear')
  })
})

describe('close', () => {
  test('lets the exchanges under way end, and says so to the client', async () => {
    const begun = Promise.withResolvers<() => void>()
    await using at = await openTestFront({ http: (_request, response) => begun.resolve(() => response.end('done')) })
    const request = getHttp(`http://127.0.0.1:${at.port}/`)
    const answer = textOf(request)
    const finish = await begun.promise
    const closed = at.front.close({ graceMs: 30_000 })
    finish()
    expect(await answer).toBe('done')
    await closed
    expect(at.front.connections).toBe(0)
  })

  test('lets HTTP/2 streams end', async () => {
    const begun = Promise.withResolvers<() => void>()
    await using at = await openTestFront({
      grpc: (_request, response) => begun.resolve(() => void response.end('done')),
    })
    const answer = overHttp2(`http://127.0.0.1:${at.port}`)
    const finish = await begun.promise
    const closed = at.front.close({ graceMs: 30_000 })
    finish()
    expect(await answer).toBe('done')
    await closed
  })

  test('cuts what is left when the grace is over', async () => {
    await using at = await openTestFront({ http: () => {} })
    const socket = at.dial()
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
    await expect.poll(() => at.front.connections, { timeout: 10_000 }).toBe(1)
    await at.front.close({ graceMs: 50 })
    await ended(socket)
  })
})

test('a port that is taken is refused with a sentence that says what to do', async () => {
  await using at = await openTestFront()
  const other = createFront(at.options)
  await expect(other.listen({ host: '127.0.0.1', port: at.port })).rejects.toThrow('the port is taken')
})

async function textOf(request: ReturnType<typeof getHttp>): Promise<string> {
  const [response] = await once(request, 'response')
  return text(response)
}

async function overHttp2(url: string, ca?: string): Promise<string> {
  const session = connectHttp2(url, ca === undefined ? {} : { ca })
  const answer = await text(session.request({ ':path': '/' }))
  session.close()
  return answer
}

async function firstMessage(socket: WebSocket): Promise<string> {
  const [message] = await once(socket, 'message')
  socket.terminate()
  return String(message)
}

async function opened(at: TestFront, options: ConnectionOptions = {}) {
  const socket = connectTls({ host: '127.0.0.1', servername: 'localhost', port: at.port, ca: at.caPem, ...options })
  await once(socket, 'secureConnect')
  return socket
}

/** Resolves when the other side has closed the connection. */
async function ended(socket: ReturnType<TestFront['dial']>): Promise<void> {
  socket.resume()
  if (!socket.readableEnded && !socket.destroyed) await over(socket)
  socket.destroy()
}

/** A reset is an end too. */
async function over(socket: ReturnType<TestFront['dial']>): Promise<void> {
  await new Promise<void>((resolve) => socket.once('end', () => resolve()).once('close', () => resolve()))
}

async function answers(at: TestFront): Promise<void> {
  expect(await textOf(getHttp(`http://127.0.0.1:${at.port}/`, { agent: false }))).toBe('http/1.1 in the clear')
}

describe('a limit that is crossed is counted:', () => {
  const post = 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10000\r\n\r\n'

  async function counting(limits: NonNullable<Parameters<typeof openTestFront>[0]>['limits'] = {}, mayBeSlow = false) {
    const reasons: string[] = []
    const at = await openTestFront({
      limits,
      mayBeSlow: () => mayBeSlow,
      onRejected: (reason) => void reasons.push(reason),
      http: (request, response) => void request.resume().once('end', () => response.end('whole')),
    })
    return Object.assign(at, { reasons })
  }

  async function dripping(at: TestFront, begin: string, drop = 'x'): Promise<string> {
    const socket = at.dial()
    socket.write(begin)
    const drip = setInterval(() => socket.write(drop), 10)
    const said: Buffer[] = []
    socket.on('data', (chunk: Buffer) => void said.push(chunk))
    await over(socket)
    clearInterval(drip)
    socket.destroy()
    return Buffer.concat(said).toString()
  }

  test('a body that drips', async () => {
    await using at = await counting({ paceMs: 100, bodyBytesPerSecond: 10_000 })
    await dripping(at, post)
    expect(at.reasons).toEqual(['slow_body'])
  })

  test('but not one that is bounded by something else, nor one that comes at a fair pace', async () => {
    await using patient = await counting({ paceMs: 20, bodyBytesPerSecond: 1_000_000 }, true)
    expect(
      await dripping(patient, 'POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 20\r\n\r\n'),
    ).toContain('whole')
    await using strict = await counting({ paceMs: 100, bodyBytesPerSecond: 1_000 })
    expect(await dripping(strict, post.replace('host', 'connection: close\r\nhost'), 'x'.repeat(400))).toContain(
      'whole',
    )
    expect([...patient.reasons, ...strict.reasons]).toEqual([])
  })

  test('a body that drips although its answer is out already', async () => {
    const reasons: string[] = []
    await using at = await openTestFront({
      limits: { paceMs: 100, bodyBytesPerSecond: 10_000 },
      onRejected: (reason) => void reasons.push(reason),
      http: (_request, response) => void response.writeHead(401).end(),
    })
    expect(await dripping(at, post)).toContain('401')
    expect(reasons).toEqual(['slow_body'])
  })

  test('headers that drip', async () => {
    await using at = await counting({ headersMs: 200 })
    expect(await dripping(at, 'GET / HTTP/1.1\r\n', 'x: y\r\n')).toContain('408')
    expect(at.reasons).toEqual(['slow_headers'])
  })

  test('a body that does not come', async () => {
    await using at = await counting({ stallMs: 100 })
    const socket = at.dial()
    socket.write(post)
    await ended(socket)
    expect(at.reasons).toEqual(['stalled'])
  })

  test('a connection that says nothing, and one that does not finish its handshake', async () => {
    await using at = await counting({ greetingMs: 100, handshakeMs: 100 })
    const socket = at.dial()
    socket.write(Buffer.from([0x16, 3, 1, 0x3f, 0xff, 1, 0, 0x3f, 0xfb]))
    await Promise.all([ended(at.dial()), ended(socket)])
    expect(at.reasons.toSorted()).toEqual(['silent', 'tls'])
  })

  test('HTTP/2 whose settings never come', async () => {
    await using at = await counting({ prefaceMs: 100 })
    const socket = at.dial()
    socket.write('PRI * HT')
    await ended(socket)
    expect(at.reasons).toEqual(['http2'])
  })

  test('one connection more than there may be', async () => {
    await using at = await counting({ connections: 1 })
    const held = at.dial()
    await once(held, 'connect')
    await ended(at.dial())
    held.destroy()
    expect(at.reasons).toEqual(['too_many_connections'])
  })

  test('requests that wait for no answer, of which no more are begun than may be', async () => {
    let begun = 0
    await using at = await openTestFront({ limits: { pipelined: 4 }, http: () => void (begun += 1) })
    const socket = at.dial()
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(1_000))
    await ended(socket)
    expect(begun).toBe(4)
  })

  test('none is counted for clients that come, ask and go', async () => {
    await using at = await counting({ pipelined: 2 })
    for (let round = 0; round < 3; round += 1) await answersWith(at, 'whole')
    const gone = at.dial()
    gone.end()
    await ended(gone)
    const reset = at.dial()
    await once(reset, 'connect')
    reset.write(post)
    reset.resetAndDestroy()
    await expect.poll(() => at.front.connections, { timeout: 10_000 }).toBe(0)
    expect(at.reasons).toEqual([])
  })
})

async function answersWith(at: TestFront, words: string): Promise<void> {
  expect(await textOf(getHttp(`http://127.0.0.1:${at.port}/`, { agent: false }))).toBe(words)
}
