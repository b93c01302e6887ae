import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { request, type IncomingMessage } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { Carrick, until } from './carrick.ts'

/** WebSockets, streams and the tokens for them, by `fal` 1.83.0, `fal_client` 1.0.3 and `@fal-ai/client` 1.10.1. */
let carrick: Carrick
beforeAll(async () => {
  carrick = await Carrick.start()
  await carrick.deploy('live.py::Live', 'live')
})
afterAll(() => carrick[Symbol.asyncDispose]())

const key = () => carrick.variables['FAL_KEY'] ?? ''
const plain = () => carrick.url.replace('https:', 'http:')
const headers = { 'content-type': 'application/json' }
const post = (path: string, body: object, more: { key?: string | null } = {}) =>
  carrick.ask(path, { method: 'POST', headers, body: JSON.stringify(body), ...more })

async function seen(): Promise<{ seen: string[]; written: number }> {
  return (await (await post('/tester/live/seen', {})).json()) as never
}

const inFlight = async () => ((await (await carrick.ask('/v1/status')).json()) as { running: number }).running

describe('fal_client', () => {
  /** The client takes the host of tokens from a constant. */
  const here = `
import asyncio, fal_client, json, os
fal_client.client.REST_URL = os.environ["CARRICK_URL"]
`

  test('realtime: messages in msgpack, errors, and the end', async () => {
    const said = await carrick.python<object>(`${here}
with fal_client.realtime("tester/live", max_buffering=3) as connection:
    connection.send({"text": "one"})
    first = connection.recv()
    connection.send({"text": "fail"})
    try:
        connection.recv()
    except fal_client.client.RealtimeError as error:
        failed = [error.error, error.reason]
    end = connection.recv()
with fal_client.realtime("tester/live", use_jwt=False) as connection:
    connection.send({"text": "by key"})
    by_key = connection.recv()
async def twice():
    async with fal_client.realtime_async("tester/live") as connection:
        answers = []
        for text in ["two", "three"]:
            await connection.send({"text": text})
            answers.append(await connection.recv())
        return answers
print(json.dumps({"first": first, "failed": failed, "end": end, "by_key": by_key, "async": asyncio.run(twice())}))
`)
    expect(said).toEqual({
      first: { text: 'heard one' },
      failed: ['INTERNAL_ERROR', 'told to fail'],
      end: null,
      by_key: { text: 'heard by key' },
      async: [{ text: 'heard two' }, { text: 'heard three' }],
    })
  })

  test('a WebSocket of the app: texts and bytes as they are', async () => {
    const said = await carrick.python<object>(`${here}
with fal_client.SyncClient().ws_connect("tester/live", path="/raw") as socket:
    socket.send(bytes(range(256)))
    data = socket.recv()
    socket.send("grüße")
    print(json.dumps([list(data) == list(range(256)), socket.recv()]))
`)
    expect(said).toEqual([true, 'grüße'])
  })

  test('every option of both, for threads and for asyncio: an encoding of one’s own, a path, a token’s life, the key', async () => {
    const said = await carrick.python<object>(`${here}
import msgpack
sent, came = [], []
def encode(message):
    sent.append(message)
    return msgpack.packb(message)
def decode(data):
    came.append(len(data))
    return msgpack.unpackb(data)
own = {"path": "/realtime", "token_expiration": 30, "max_buffering": 2, "encode_message": encode, "decode_message": decode}
raw = {"path": "/raw", "token_expiration": 30, "max_buffering": 2}
heard = []
for client in (fal_client, fal_client.SyncClient()):
    with client.realtime("tester/live", **own) as connection:
        connection.send({"text": "one"})
        heard.append(connection.recv()["text"])
    for use_jwt in (True, False):
        with client.ws_connect("tester/live", use_jwt=use_jwt, **raw) as socket:
            socket.send("two")
            heard.append(socket.recv())
async def others():
    client = fal_client.AsyncClient()
    for realtime, connect in ((fal_client.realtime_async, fal_client.ws_connect_async), (client.realtime, client.ws_connect)):
        for use_jwt in (True, False):
            async with realtime("tester/live", use_jwt=use_jwt, **own) as connection:
                await connection.send({"text": "three"})
                heard.append((await connection.recv())["text"])
        for use_jwt in (True, False):
            async with connect("tester/live", use_jwt=use_jwt, **raw) as socket:
                await socket.send(b"four")
                heard.append((await socket.recv()).decode())
asyncio.run(others())
print(json.dumps({"heard": heard, "sent": len(sent), "came": len(came)}))
`)
    const threads = ['heard one', 'two', 'two']
    const asyncio = ['heard three', 'heard three', 'four', 'four']
    expect(said).toEqual({ heard: [threads, threads, asyncio, asyncio].flat(), sent: 6, came: 6 })
  })

  test('streams, and the app hears of those who leave', async () => {
    const events = await carrick.python<object[]>(`${here}
async def some():
    return [event async for event in fal_client.stream_async("tester/live", {"count": 2})]
events = list(fal_client.stream("tester/live", {"count": 3})) + asyncio.run(some())
for event in fal_client.stream("tester/live", {"count": 1000}):
    break
print(json.dumps(events))
`)
    expect(events.map((event) => (event as { number: number }).number)).toEqual([0, 1, 2, 0, 1])
    await until(async () => (await seen()).seen.some((each) => each.startsWith('cancelled ')), 'a cancel call')
  })
})

describe('the fal SDK', () => {
  test('fal.apps.ws: one call after the other over one connection', async () => {
    const said = await carrick.python<object>(`
import fal.apps, json
with fal.apps.ws("tester/live") as connection:
    answers = [json.loads(connection.run({"text": text})) for text in ["one", "two"]]
    connection.send({"text": 3})
    refused = json.loads(connection.recv())
with fal.apps.ws("tester/live", path="/stream") as connection:
    connection.send({"count": 3})
    pieces = [piece.decode() for piece in connection.stream()]
    connection.send({"count": 1})
    again = b"".join(connection.stream()).decode()
print(json.dumps({"answers": answers, "refused": refused["detail"][0]["loc"], "text": "".join(pieces), "again": again}))
`)
    expect(said).toEqual({
      answers: [{ text: 'one' }, { text: 'two' }],
      refused: ['body', 'text'],
      text: [0, 1, 2].map((number) => `data: {"number": ${number}}\n\n`).join(''),
      again: 'data: {"number": 0}\n\n',
    })
  })

  test('fal.apps: realtime by key, and a stream', async () => {
    const said = await carrick.python<object>(`
import fal.apps, json
with fal.apps._connect("tester/live") as connection:
    heard = connection.run({"text": "sdk"})
print(json.dumps([heard, [line for line in fal.apps.stream("tester/live/stream", {"count": 1}) if line]]))
`)
    expect(said).toEqual([{ text: 'heard sdk' }, [expect.stringContaining('"number": 0')]])
  })
})

test('@fal-ai/client: realtime with its tokens, in msgpack and JSON, and streams in both modes', async () => {
  const said = await carrick.javascriptFile<{ left: string }>('live.ts')
  expect(said).toEqual({
    byDefault: ['heard one', 'heard two'],
    byProvider: ['heard three'],
    inJson: ['heard four'],
    failing: ['INTERNAL_ERROR: told to fail'],
    expiring: [expect.stringContaining('Error closing the connection: The token is wrong'), 'heard six'],
    buffering: true,
    events: [0, 1, 2].map((number) => ({ number })),
    last: { number: 2 },
    fromBrowser: { number: 1 },
    bytes: 4 * 65_536,
    left: expect.any(String),
    status: 'COMPLETED',
  })
  await until(async () => (await seen()).seen.includes(`cancelled ${said.left}`), 'a cancel call')
})

describe('a token', () => {
  const tokenOf = async (body: object, by = key()) =>
    (await (await post('/tokens/', body, { key: by })).json()) as string
  const open = (path: string, token: string) =>
    new WebSocket(`${plain().replace('http:', 'ws:')}${path}?fal_jwt_token=${token}`)

  /** What is said first: the echo of a text, or that the token is no good. */
  async function firstWord(socket: WebSocket): Promise<string> {
    socket.on('open', () => socket.send('hello')).on('error', () => {})
    const [data] = (await once(socket, 'message')) as [Buffer]
    socket.close()
    return data.toString()
  }

  test('is had by scripts of any origin, and is bare JSON', async () => {
    const origin = { origin: 'https://app.example.com' }
    const preflight = await fetch(`${plain()}/tokens/`, {
      method: 'OPTIONS',
      headers: {
        ...origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization',
      },
    })
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([204, '*'])
    const answer = await carrick.ask('/tokens/', {
      method: 'POST',
      headers: { ...headers, ...origin },
      body: JSON.stringify({ allowed_apps: ['live'], token_expiration: 120 }),
    })
    expect(answer.headers.get('access-control-allow-origin')).toBe('*')
    expect(await answer.text()).toMatch(/^"[\w-]+\.[\w-]+\.[\w-]+"$/)
  })

  test.each([
    [{}, 400],
    [{ allowed_apps: [] }, 400],
    [{ allowed_apps: ['live'], token_expiration: 0 }, 400],
    [{ allowed_apps: ['live'], token_expiration: 3_601 }, 400],
    [{ allowed_apps: ['live'], token_expiration: 1.5 }, 400],
    [{ allowed_apps: 'live' }, 400],
  ])('of %j is refused', async (body, status) => {
    expect((await post('/tokens/', body)).status).toBe(status)
    expect((await post('/tokens/realtime', body)).status).toBe(status)
    expect((await post('/tokens/', body, { key: null })).status).toBe(401)
  })

  test('is for its apps and paths alone', async () => {
    const token = await tokenOf({ allowed_apps: ['tester/live/raw'] })
    expect(await firstWord(open('/tester/live/raw', token))).toBe('hello')
    expect(await firstWord(open('/tester/live/realtime', token))).toContain('Unauthorized')
    const elsewhere = await fetch(`${plain()}/tester/live/seen?fal_jwt_token=${token}`, { method: 'POST' })
    expect(elsewhere.status).toBe(401)
  })

  test('ends with its key, within a second', async () => {
    const made = await post('/v1/keys', { alias: 'for a browser' })
    const { key_id: id, key_secret: secret } = (await made.json()) as { key_id: string; key_secret: string }
    const token = await tokenOf({ allowed_apps: ['live'] }, `${id}:${secret}`)
    expect(await firstWord(open('/tester/live/raw', token))).toBe('hello')
    expect((await carrick.ask(`/v1/keys/${id}`, { method: 'DELETE' })).ok).toBe(true)
    expect(await firstWord(open('/tester/live/raw', token))).toContain('Unauthorized')
  })

  test('is in no log', async () => {
    const answer = await carrick.ask('/v1/serverless/logs/history?app_id=tester/live&limit=1000', { method: 'POST' })
    const text = await answer.text()
    expect(answer.status).toBe(200)
    expect(text).toContain('/realtime')
    expect(text).not.toContain('fal_jwt_token')
  })
})

describe('a WebSocket of an app', () => {
  const open = (path: string) =>
    new WebSocket(`${plain().replace('http:', 'ws:')}${path}`, { headers: { authorization: `Key ${key()}` } })

  test('holds one slot, passes bytes and pings, and the app sees how it was closed', async () => {
    await until(async () => (await inFlight()) === 0, 'those of the tests before to have gone')
    const socket = open('/tester/live/raw')
    await once(socket, 'open')
    expect(await inFlight()).toBe(1)
    const large = Buffer.alloc(3_000_000, 7)
    socket.send(large)
    const [back, isBinary] = (await once(socket, 'message')) as [Buffer, boolean]
    expect([Buffer.compare(back, large), isBinary]).toEqual([0, true])
    socket.ping('still there?')
    expect(String((await once(socket, 'pong'))[0])).toBe('still there?')
    socket.close(4001)
    expect((await once(socket, 'close'))[0]).toBe(4001)
    await until(async () => (await seen()).seen.includes('closed 4001'), 'the app sees it')
    await until(async () => (await inFlight()) === 0, 'a free slot')
  })

  test('that vanishes gives its slot back, and the app sees it', async () => {
    const closed = async () => (await seen()).seen.filter((each) => each.startsWith('closed')).length
    const before = await closed()
    const socket = open('/ws/tester/live/raw')
    await once(socket, 'open')
    socket.terminate()
    await until(async () => (await closed()) > before, 'the app sees it')
    await until(async () => (await inFlight()) === 0, 'a free slot')
  })
})

test('a slow reader makes the app wait, and costs the server no memory', async () => {
  const count = 4_000 // of 64 KiB: 250 MiB
  const before = await residentMiB()
  const { written: already } = await seen()
  const asked = request(`${plain()}/tester/live/bytes/stream`, {
    method: 'POST',
    headers: { ...headers, authorization: `Key ${key()}` },
  }).end(JSON.stringify({ count }))
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  answer.pause()
  let last = -1
  await until(async () => {
    const { written } = await seen()
    const stands = written === last
    last = written
    return stands
  }, 'an app that waits')
  expect(last - already).toBeLessThan(1_000 * 65_536)
  expect((await residentMiB()) - before).toBeLessThan(100)

  answer.destroy()
  await until(async () => (await inFlight()) === 0, 'a free slot')
})

async function residentMiB(): Promise<number> {
  const status = await readFile(`/proc/${carrick.pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024
}
