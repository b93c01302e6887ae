import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { WebSocket, type RawData } from 'ws'
import { openTestGateway, type TestGateway } from '../../testing/gateway.ts'
import { textOf } from '../../testing/runner.ts'

let gateway: TestGateway
beforeAll(async () => (gateway = await openTestGateway({ limits })))
afterAll(() => gateway[Symbol.asyncDispose]())

const limits = {
  bodyBytes: 10_000,
  queueLength: 10,
  connectTimeoutMs: 5_000,
  socketMessageBytes: 10_000,
  socketIdleMs: 1_000,
}

interface Answer {
  readonly start: { readonly status: number; readonly request_id: string; readonly headers: Record<string, string> }
  readonly body: string
  readonly pieces: number
  readonly end: { readonly request_id: string; readonly status: number; readonly time_to_first_byte_seconds: number }
}

/** A session whose answers are read as `fal.apps.ws` does it. */
class Session {
  readonly socket: WebSocket
  readonly answers: Answer[] = []
  #start: Answer['start'] | undefined
  #pieces: Buffer[] = []

  constructor(path: string, { port = gateway.port, key = gateway.keys.ann } = {}) {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers: { authorization: `Key ${key}` } })
    this.socket.on('message', (data, isBinary) => this.#read(data, isBinary))
    this.socket.on('error', () => {})
    onTestFinished(() => this.socket.terminate())
  }

  async ask(text: string): Promise<Answer> {
    if (this.socket.readyState === WebSocket.CONNECTING) await once(this.socket, 'open')
    const before = this.answers.length
    this.socket.send(text)
    await vi.waitFor(() => expect(this.answers.length).toBeGreaterThan(before), patient)
    return this.answers.at(-1)!
  }

  #read(data: RawData, isBinary: boolean): void {
    if (isBinary) return void this.#pieces.push(data as Buffer)
    const message = JSON.parse((data as Buffer).toString()) as { type: string } & Answer['start'] & Answer['end']
    if (message.type === 'start') return void (this.#start = message)
    const body = Buffer.concat(this.#pieces).toString()
    this.answers.push({ start: this.#start!, body, pieces: this.#pieces.length, end: message })
    this.#pieces = []
  }
}

const patient = { timeout: 20_000 }

async function echo(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const { method, url, headers } = req
  const told = { method, url, body: await textOf(req), headers }
  res.writeHead(200, { 'content-type': 'application/json', 'x-app': 'yes' }).end(JSON.stringify(told))
}

test('each message is a call, answered in order, and an open session holds no slot between them', async () => {
  const app = await gateway.addApp('echo', { runner: (req, res) => void echo(req, res) })
  const session = new Session('/ws/ann/echo/go?x=1')
  const first = await session.ask('{"n":1}')
  expect(first.start).toMatchObject({ type: 'start', status: 200, headers: { 'x-app': 'yes' } })
  expect(first.end).toMatchObject({ type: 'end', status: 200, request_id: first.start.request_id })
  expect(first.end.time_to_first_byte_seconds).toBeGreaterThanOrEqual(0)
  const seen = JSON.parse(first.body) as { method: string; url: string; body: string; headers: Record<string, string> }
  expect(seen).toMatchObject({ method: 'POST', url: '/go?x=1', body: '{"n":1}' })
  expect(seen.headers).toMatchObject({
    'content-type': 'application/json',
    'x-fal-request-id': first.start.request_id,
    'x-fal-endpoint': 'ann/echo/go',
  })
  expect(Object.keys(seen.headers).filter((name) => /authorization|websocket|upgrade/.test(name))).toEqual([])

  await vi.waitFor(() => expect(app.home.load().running).toBe(0))
  for (const text of ['{"n":2}', '{"n":3}', '{"n":4}']) session.socket.send(text)
  await vi.waitFor(() => expect(session.answers).toHaveLength(4), patient)
  expect(session.answers.map(({ body }) => (JSON.parse(body) as { body: string }).body)).toEqual(
    [1, 2, 3, 4].map((n) => `{"n":${n}}`),
  )
  expect(new Set(session.answers.map(({ start }) => start.request_id)).size).toBe(4)
})

test('an answer that comes in pieces is sent on in pieces', async () => {
  let more = () => {}
  await gateway.addApp('pieces', {
    runner: (_req, res) => {
      res.write('{"type":"start",')
      more = () => res.end('"request_id":"x"}')
    },
  })
  const session = new Session('/ws/ann/pieces')
  let messages = 0
  session.socket.on('message', () => (messages += 1))
  const answer = session.ask('{}')
  await vi.waitFor(() => expect(messages).toBe(2), patient)
  more()
  expect(await answer).toMatchObject({ body: '{"type":"start","request_id":"x"}', pieces: 2 })
})

test('a failure is an answer too, and the session goes on', async () => {
  const app = await gateway.addApp('failing')
  app.home.setRunners([{ id: 'r-dead', revisionId: 'x', address: { host: '127.0.0.1', port: 1 } }])
  const session = new Session('/ws/ann/failing')
  const failed = await session.ask('{}')
  expect(failed.start.status).toBe(503)
  expect(JSON.parse(failed.body)).toHaveProperty('detail')
  await gateway.serveBy(app, (_req, res) => res.writeHead(422).end('{"detail":"no"}'))
  expect(await session.ask('{}')).toMatchObject({
    start: { status: 422 },
    body: '{"detail":"no"}',
    end: { status: 422 },
  })
})

test('an answer that breaks off ends the session', async () => {
  await gateway.addApp('broken', { runner: (_req, res) => void res.write('half', () => res.destroy()) })
  const session = new Session('/ws/ann/broken')
  await once(session.socket, 'open')
  session.socket.send('{}')
  expect((await once(session.socket, 'close'))[0]).toBe(1011)
})

test('a caller that leaves has its call stopped', async () => {
  const asked: (string | undefined)[] = []
  const app = await gateway.addApp('left', {
    runner: (req, res) => {
      asked.push(req.url)
      if (req.url === '/go/cancel') res.end()
      else res.write('begun')
    },
  })
  const session = new Session('/ws/ann/left/go')
  await once(session.socket, 'open')
  session.socket.send('{}')
  await once(session.socket, 'message')
  session.socket.terminate()
  await vi.waitFor(() => expect(asked).toEqual(['/go', '/go/cancel']), patient)
  await vi.waitFor(() => expect(app.home.load().running).toBe(0), patient)
})

test('a caller that leaves while it waits for a runner waits no longer', async () => {
  const app = await gateway.addApp('cold')
  const session = new Session('/ws/ann/cold')
  await once(session.socket, 'open')
  session.socket.send('{}')
  await vi.waitFor(() => expect(app.home.load().waiting).toBe(1), patient)
  session.socket.terminate()
  await vi.waitFor(() => expect(app.home.load().waiting).toBe(0), patient)
})

test('a slow reader makes the app wait', async () => {
  let written = 0
  function* pieces(): Generator<Buffer> {
    for (; written < 200 * 64 * 1024; written += 64 * 1024) yield Buffer.alloc(64 * 1024)
  }
  await gateway.addApp('flood', { runner: (_req, res) => void Readable.from(pieces()).pipe(res) })
  const session = new Session('/ws/ann/flood')
  await once(session.socket, 'open')
  session.socket.pause()
  session.socket.send('{}')
  let last = -1
  await vi.waitFor(
    () => {
      const before = last
      last = written
      expect(written > 0 && written === before).toBe(true)
    },
    { ...patient, interval: 500 },
  )
  expect(written).toBeLessThan(200 * 64 * 1024)
  session.socket.resume()
  await vi.waitFor(() => expect(session.answers).toHaveLength(1), patient)
  expect(session.answers[0]?.body.length).toBe(200 * 64 * 1024)
})

describe('it is closed', () => {
  beforeAll(() => gateway.addApp('closed'))

  test.each([
    ['for bytes', Buffer.from([1]), 1003],
    ['for a message that is too large', 'x'.repeat(10_001), 1009],
  ])('%s', async (_, message, code) => {
    const { socket } = new Session('/ws/ann/closed')
    await once(socket, 'open')
    socket.send(message)
    expect((await once(socket, 'close'))[0]).toBe(code)
  })

  test('for more requests than wait', async () => {
    const { socket } = new Session('/ws/ann/closed')
    await once(socket, 'open')
    for (let count = 0; count < 102; count += 1) socket.send('{}')
    expect((await once(socket, 'close'))[0]).toBe(1008)
  })

  test('when nothing is said for a while', async () => {
    const { socket } = new Session('/ws/ann/closed')
    expect((await once(socket, 'close'))[0]).toBe(1000)
  })

  test('when the server stops', async () => {
    const other = await openTestGateway()
    onTestFinished(() => other[Symbol.asyncDispose]())
    await other.addApp('closed')
    const { socket } = new Session('/ws/ann/closed', { port: other.port, key: other.keys.ann })
    await once(socket, 'open')
    await Promise.all([
      other.idle({ graceMs: 60_000 }),
      once(socket, 'close').then(([code]) => expect(code).toBe(1001)),
    ])
  })
})

test('what is no WebSocket is told so', async () => {
  const answer = await gateway.fetch('/ws/ann/closed', { method: 'POST', body: '{}' })
  expect([answer.status, await answer.json()]).toMatchObject([400, { error_type: 'bad_request' }])
})
