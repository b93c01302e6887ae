import { once } from 'node:events'
import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { LogLevel } from '../logs/log-store.ts'
import { dropPayloads, forgetRequests, unkeptRequests } from '../store/retention.ts'
import { openTestGateway, type TestApp, type TestGateway } from '../testing/gateway.ts'
import { textOf } from '../testing/runner.ts'

let gateway: TestGateway
beforeAll(async () => (gateway = await openTestGateway()))
afterAll(() => gateway[Symbol.asyncDispose]())

interface Accepted {
  readonly request_id: string
  readonly response_url: string
  readonly status_url: string
  readonly cancel_url: string
}

type Body = Record<string, unknown>
const below = (url: string) => url.slice(gateway.url.length)

async function submit(path: string, init: Parameters<TestGateway['fetch']>[1] = {}): Promise<Accepted> {
  const answer = await gateway.fetch(`/queue/ann/${path}`, { method: 'POST', body: '{}', ...init })
  expect(answer.status).toBe(200)
  return JSON.parse(await answer.text())
}

async function bodyOf(path: string, init: Parameters<TestGateway['fetch']>[1] = {}) {
  const answer = await gateway.fetch(path, init)
  const body: Body = JSON.parse(await answer.text())
  return { status: answer.status, headers: answer.headers, body }
}

async function completed({ status_url }: Accepted): Promise<Body> {
  return await vi.waitFor(
    async () => {
      const { status, body } = await bodyOf(below(status_url))
      expect(status).toBe(200)
      return body
    },
    { timeout: 30_000, interval: 20 },
  )
}

describe('submit', () => {
  test('answers with the recorded fields in their order, at addresses that the caller can reach', async () => {
    await gateway.addApp('cold')
    const answer = await gateway.fetch('/queue/ann/cold/sub/path', { method: 'POST', body: '{}' })
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8'])
    expect(answer.headers.get('x-fal-request-id')).toBeNull()
    const body: Accepted = JSON.parse(await answer.text())
    const url = `${gateway.url}/queue/ann/cold/requests/${body.request_id}`
    expect(Object.entries(body)).toEqual([
      ['status', 'IN_QUEUE'],
      ['request_id', expect.stringMatching(/^[0-9a-f-]{36}$/)],
      ['response_url', url],
      ['status_url', `${url}/status`],
      ['cancel_url', `${url}/cancel`],
      ['logs', null],
      ['metrics', {}],
      ['queue_position', 0],
    ])
    expect(await submit('cold')).toMatchObject({ queue_position: 1 })
  })

  test('the app sees the call as it was made, without what was for the platform', async () => {
    await gateway.addApp('echo', {
      runner: async (req, res) => {
        res.setHeader('content-type', 'application/json')
        res.end(JSON.stringify({ method: req.method, url: req.url, headers: req.headers, body: await textOf(req) }))
      },
    })
    const accepted = await submit('echo/go/?x=1&fal_max_queue_length=9', {
      body: '{"prompt":"hi"}',
      headers: { 'x-app-fal-upload-policy': '{"url":"u"}', 'x-fal-no-retry': '1', 'content-type': 'application/json' },
    })
    await completed(accepted)
    const { headers, body } = await bodyOf(below(accepted.response_url))
    expect(headers.get('x-fal-request-id')).toBe(accepted.request_id)
    expect(headers.get('x-fal-served-from')).toMatch(/^runner-/)
    expect(body).toMatchObject({
      method: 'POST',
      url: '/go/?x=1',
      body: '{"prompt":"hi"}',
      headers: {
        'x-app-fal-upload-policy': '{"url":"u"}',
        'content-length': '15',
        'x-fal-endpoint': 'ann/echo/go/',
        'x-fal-request-id': accepted.request_id,
      },
    })
    expect(body['headers']).not.toHaveProperty('authorization')
    expect(body['headers']).not.toHaveProperty('x-fal-no-retry')
  })

  test('large bodies and large results pass through the queue', async () => {
    await gateway.addApp('large', { runner: async (req, res) => res.end(await textOf(req)) })
    const body = 'large '.repeat(100_000)
    const accepted = await submit('large', { body })
    await completed(accepted)
    const answer = await gateway.fetch(below(accepted.response_url))
    expect(answer.headers.get('content-length')).toBe('600000')
    expect(await answer.text()).toBe(body)
  })

  test('a body over the limit is refused', async () => {
    const { status, body } = await bodyOf('/queue/ann/cold', { method: 'POST', body: 'x'.repeat(1_000_001) })
    expect([status, body]).toMatchObject([413, { error_type: 'body_too_large' }])
  })

  test('a queue longer than the caller allows is full', async () => {
    const app = await gateway.addApp('short')
    await submit('short?fal_max_queue_length=0')
    const refused = await bodyOf('/queue/ann/short?fal_max_queue_length=0', { method: 'POST', body: '{}' })
    expect([refused.status, refused.body]).toMatchObject([429, { error_type: 'queue_full' }])
    await submit('short?fal_max_queue_length=1')
    expect(app.home.queueLength).toBe(2)
  })

  test.each([
    ['?fal_max_queue_length=many', {}],
    ['?fal_webhook=http%3A%2F%2F10.0.0.1%2Fhook', {}],
    ['', { 'x-fal-request-timeout': 'soon' }],
    ['', { 'x-fal-request-start-timeout': '-1' }],
  ])('%s %j is refused, and nothing is stored', async (query, headers) => {
    const app = await gateway.addApp(`strict-${Math.random().toString(16).slice(2)}`)
    const refused = await bodyOf(`/queue/ann/${app.name}${query}`, { method: 'POST', body: '{}', headers })
    expect([refused.status, refused.body]).toMatchObject([400, { error_type: 'bad_request' }])
    expect(refused.headers.get('x-fal-error-type')).toBe('bad_request')
    expect(app.home.queueLength).toBe(0)
  })

  test('a malformed retry config is ignored', async () => {
    await submit('cold', { headers: { 'x-fal-retry-config': '{"timeout":' } })
  })

  test('a caller that leaves halfway leaves nothing', async () => {
    const app = await gateway.addApp('halfway')
    const headers = { authorization: `Key ${gateway.keys.ann}`, 'content-length': '100' }
    const outgoing = request({
      port: gateway.port,
      host: '127.0.0.1',
      method: 'POST',
      path: '/queue/ann/halfway',
      headers,
    })
    outgoing.on('error', () => {})
    outgoing.write('{"some')
    await once(outgoing, 'socket')
    outgoing.destroy()
    await submit('halfway')
    expect(app.home.queueLength).toBe(1)
  })
})

test('a request passes through its three states, with the codes that go with them', async () => {
  let finish = () => {}
  let started = false
  const app = await gateway.addApp('states', { scale: { max_multiplexing: 1 } })
  const [first, second] = [await submit('states'), await submit('states')]
  expect(await bodyOf(below(second.status_url))).toMatchObject({
    status: 202,
    body: { status: 'IN_QUEUE', queue_position: 1, logs: null, metrics: {}, request_id: second.request_id },
  })
  await gateway.serveBy(app, (_req, res) => {
    started = true
    finish = () => res.writeHead(201, { 'x-app': 'yes' }).end('{"done":true}')
  })
  await vi.waitFor(() => expect(started).toBe(true))
  const running = await bodyOf(below(first.status_url))
  expect([running.status, running.body]).toEqual([
    202,
    { status: 'IN_PROGRESS', ...urlsOf(first), request_id: first.request_id, logs: null, metrics: {} },
  ])
  const early = await bodyOf(below(first.response_url))
  expect([early.status, early.body]).toEqual([400, { detail: 'Request is still in progress' }])
  finish()
  expect(await completed(first)).toEqual({
    status: 'COMPLETED',
    ...urlsOf(first),
    request_id: first.request_id,
    logs: null,
    metrics: { inference_time: expect.any(Number) },
  })
  for (const suffix of ['', '/', '/response']) {
    const result = await bodyOf(below(first.response_url) + suffix)
    expect([result.status, result.body, result.headers.get('x-app')]).toEqual([201, { done: true }, 'yes'])
  }
  const head = await gateway.fetch(below(first.response_url), { method: 'HEAD' })
  expect([head.status, head.headers.get('content-length')]).toEqual([201, '13'])
  finish()
  await completed(second)
})

const urlsOf = ({ response_url, status_url, cancel_url }: Accepted) => ({ response_url, status_url, cancel_url })

test.each([0, 256, 16 * 1024, 16 * 1024 + 1])(
  'a result of %i bytes of every value, and its headers, are what the app gave, by whichever of many readers at once',
  async (length) => {
    const bytes = Buffer.from(Uint8Array.from({ length }, (_, at) => at))
    const name = `bytes-${length}`
    const head = { 'content-type': 'application/octet-stream', 'x-word': 'na\xefve' }
    await gateway.addApp(name, { runner: (_, res) => void res.writeHead(200, head).end(bytes) })
    const accepted = await submit(name)
    await completed(accepted)
    const read = async () => {
      const answer = await gateway.fetch(below(accepted.response_url))
      return [answer.headers.get('x-word'), Buffer.from(await answer.arrayBuffer()).equals(bytes)]
    }
    const all = await Promise.all(Array.from({ length: 40 }, read))
    expect(all).toEqual(all.map(() => ['na\xefve', true]))
  },
)

test('of what is kept no longer only the result is missing, and of what is gone nothing is known', async () => {
  await gateway.addApp('brief', { runner: (_req, res) => res.end('{"a":1}') })
  const accepted = await submit('brief', { headers: { 'x-fal-store-io': '0' } })
  await completed(accepted)
  const later = gateway.clock.now() + 1_000
  expect((await bodyOf(below(accepted.response_url))).body).toEqual({ a: 1 })
  await gateway.store.commit(dropPayloads(await gateway.store.read(unkeptRequests(later))))
  expect(await bodyOf(below(accepted.status_url))).toMatchObject({ status: 200, body: { status: 'COMPLETED' } })
  expect(await bodyOf(below(accepted.response_url))).toMatchObject({
    status: 404,
    body: { detail: expect.stringContaining('kept no longer') },
  })
  await gateway.store.commit(forgetRequests([accepted.request_id]))
  expect(await bodyOf(below(accepted.status_url))).toMatchObject({ status: 404, body: { status: 'NOT_FOUND' } })
  expect(await bodyOf(below(accepted.response_url))).toMatchObject({
    status: 404,
    body: { detail: expect.stringContaining('longer ago than requests are kept') },
  })
  const cancelled = await bodyOf(below(accepted.cancel_url), { method: 'PUT' })
  expect(cancelled).toMatchObject({ status: 404, body: { status: 'NOT_FOUND' } })
})

test("the app's own failure is a result like any other, and shows in the status", async () => {
  await gateway.addApp('failing', {
    runner: (_req, res) => res.writeHead(422, { 'content-type': 'application/json' }).end('{"detail":[]}'),
  })
  const accepted = await submit('failing')
  expect(await completed(accepted)).toMatchObject({ status: 'COMPLETED', error: 'Invalid status code: 422' })
  const result = await bodyOf(below(accepted.response_url))
  expect([result.status, result.body]).toEqual([422, { detail: [] }])
})

test("the platform's failure has a type everywhere", async () => {
  await gateway.addApp('breaking', { runner: (req) => void req.socket.destroy() })
  const accepted = await submit('breaking', { headers: { 'x-fal-no-retry': '1' } })
  expect(await completed(accepted)).toMatchObject({ error: expect.any(String), error_type: 'runner_disconnected' })
  const result = await bodyOf(below(accepted.response_url))
  expect([result.status, result.body]).toMatchObject([
    503,
    { error_type: 'runner_disconnected', detail: expect.any(String) },
  ])
  expect(result.headers.get('x-fal-error-type')).toBe('runner_disconnected')
})

test('a start deadline that passes is an outcome', async () => {
  await gateway.addApp('late')
  const accepted = await submit('late', { headers: { 'x-fal-request-timeout': '0.2' } })
  expect(await completed(accepted)).toMatchObject({ error_type: 'request_timeout', metrics: { inference_time: null } })
  const result = await bodyOf(below(accepted.response_url))
  expect([result.status, result.headers.get('x-fal-request-timeout-type')]).toEqual([504, 'user'])
})

describe('cancel', () => {
  test('takes a waiting request out of the queue, once', async () => {
    const app = await gateway.addApp('waiting')
    const accepted = await submit('waiting')
    const init = { method: 'PUT', headers: { 'content-type': 'application/json' } }
    const cancelled = await bodyOf(below(accepted.cancel_url), init)
    expect([cancelled.status, cancelled.body]).toEqual([202, { status: 'CANCELLATION_REQUESTED' }])
    expect(app.home.queueLength).toBe(0)
    expect(await completed(accepted)).toMatchObject({ error_type: 'client_cancelled' })
    const again = await bodyOf(below(accepted.cancel_url), init)
    expect([again.status, again.body]).toEqual([400, { status: 'ALREADY_COMPLETED' }])
    const result = await gateway.fetch(below(accepted.response_url))
    expect([result.status, result.statusText]).toEqual([499, 'Client Closed Request'])
  })

  test('asks the app to stop what runs', async () => {
    let finish: (() => void) | undefined
    await gateway.addApp('running', {
      runner: (req, res) => {
        if (req.url === '/cancel') finish?.()
        else finish = () => res.writeHead(499).end()
        if (req.url === '/cancel') res.end()
      },
    })
    const accepted = await submit('running')
    await vi.waitFor(() => expect(finish).toBeDefined())
    expect((await bodyOf(below(accepted.cancel_url), { method: 'PUT' })).status).toBe(202)
    await completed(accepted)
    expect((await gateway.fetch(below(accepted.response_url))).status).toBe(499)
  })
})

describe('logs', () => {
  function say(
    app: TestApp,
    requestId: string,
    message: string,
    level: LogLevel = 'stdout',
    at = gateway.clock.now(),
  ): void {
    gateway.logs.append({ at, source: 'user', level, message, accountId: 'account-ann', appId: app.id, requestId })
  }

  test('come with the status when they are asked for, in the words of every client', async () => {
    let finish: (() => void) | undefined
    const app = await gateway.addApp('talking', { runner: (_req, res) => void (finish = () => res.end('{}')) })
    const accepted = await submit('talking')
    await vi.waitFor(() => expect(finish).toBeDefined())
    say(app, accepted.request_id, 'one')
    say(app, accepted.request_id, 'two', 'warning')
    const { body } = await bodyOf(`${below(accepted.status_url)}?logs=true`)
    const timestamp = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
    expect(body['logs']).toEqual([
      { message: 'one', timestamp, level: 'STDOUT', source: 'USER', labels: { level: 'STDOUT', source: 'USER' } },
      { message: 'two', timestamp, level: 'WARN', source: 'USER', labels: { level: 'WARN', source: 'USER' } },
    ])
    expect((await bodyOf(`${below(accepted.status_url)}?logs=0`)).body['logs']).toBeNull()
    finish?.()
    await completed(accepted)
    expect((await bodyOf(`${below(accepted.status_url)}?logs=1`)).body['logs']).toHaveLength(2)
  })

  test('stay with the owner where the app says so', async () => {
    const app = await gateway.addApp('forgetful', {
      authMode: 'public',
      privateLogs: true,
      runner: (_req, res) => res.end('{}'),
    })
    const accepted = await submit('forgetful')
    await completed(accepted)
    say(app, accepted.request_id, 'private')
    const path = `${below(accepted.status_url)}?logs=1`
    expect((await bodyOf(path, { key: null })).body['logs']).toEqual([])
    expect((await bodyOf(path)).body['logs']).toHaveLength(1)
  })

  test('a stream of the status tells each change and each line once, and ends', async () => {
    let finish: (() => void) | undefined
    const app = await gateway.addApp('streaming')
    const accepted = await submit('streaming')
    const answer = await gateway.fetch(`${below(accepted.status_url)}/stream?logs=1`)
    expect(answer.headers.get('content-type')).toMatch(/^text\/event-stream/)
    const events = eventsOf(answer)
    expect(await events.next()).toMatchObject({ value: { status: 'IN_QUEUE', queue_position: 0, logs: null } })
    await gateway.serveBy(app, (_req, res) => void (finish = () => res.end('{}')))
    expect(await events.next()).toMatchObject({ value: { status: 'IN_PROGRESS' } })
    await vi.waitFor(() => expect(finish).toBeDefined())
    const at = gateway.clock.now()
    say(app, accepted.request_id, 'one', 'stdout', at)
    const told = [await events.next()]
    say(app, accepted.request_id, 'two', 'stdout', at)
    told.push(await events.next())
    finish?.()
    told.push(await events.next())
    expect(told.map(({ value }) => [value?.status, value?.logs?.map(({ message }) => message)])).toEqual([
      ['IN_PROGRESS', ['one']],
      ['IN_PROGRESS', ['two']],
      ['COMPLETED', []],
    ])
    expect((await events.next()).done).toBe(true)
  })
})

interface Event {
  readonly status: string
  readonly logs: { message: string }[] | null
}

async function* eventsOf(answer: Response): AsyncGenerator<Event, undefined> {
  let text = ''
  for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk
    const parts = text.split('\n\n')
    text = parts.pop() ?? ''
    for (const part of parts) if (part.startsWith('data: ')) yield JSON.parse(part.slice(6))
  }
  return undefined
}

test('a stream is not silent for longer than clients bear', async () => {
  await gateway.addApp('quiet')
  const { status_url: url } = await submit('quiet')
  const answer = await gateway.fetch(`${below(url)}/stream`)
  let text = ''
  for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk
    if (/^:/m.test(text)) break
  }
  expect(text).toMatch(/^data: .*\n\n:.*\n\n$/)
})

test('many watchers of one request each see it through', async () => {
  const app = await gateway.addApp('watched')
  const accepted = await submit('watched')
  const watchers = Array.from({ length: 20 }, async () => {
    const answer = await gateway.fetch(`${below(accepted.status_url)}/stream`)
    let last: string | undefined
    for await (const { status } of eventsOf(answer)) last = status
    return last
  })
  await gateway.serveBy(app, (_req, res) => res.end('{}'))
  expect(new Set(await Promise.all(watchers))).toEqual(new Set(['COMPLETED']))
})

describe('a client that was given a proxy', () => {
  const proxied = (url: string, init: RequestInit = {}) =>
    bodyOf('/api/proxy', { ...init, headers: { 'x-fal-target-url': url } })

  test('submits, follows and fetches through it', async () => {
    await gateway.addApp('viaproxy', {
      runner: (_req, res) => res.writeHead(200, { 'content-type': 'application/json' }).end('{"a":1}'),
    })
    const { body } = await proxied('https://queue.fal.run/ann/viaproxy', { method: 'POST', body: '{}' })
    expect(body['status_url']).toBe(`${gateway.url}/queue/ann/viaproxy/requests/${String(body['request_id'])}/status`)
    const base = `https://queue.fal.run/ann/viaproxy/requests/${String(body['request_id'])}`
    await vi.waitFor(async () => expect((await proxied(`${base}/status?logs=0`)).status).toBe(200), 10_000)
    expect((await proxied(base)).body).toEqual({ a: 1 })
  })

  test('cannot have anything fetched', async () => {
    expect((await proxied('http://127.0.0.1.example.com/x/y')).status).toBe(400)
  })
})
