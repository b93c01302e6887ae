import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { setImmediate as turn } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { describe, expect, onTestFinished, test } from 'vitest'
import { httpRunner, listening, rawRunner } from '../testing/http-runner.ts'
import type { Call, CallLimits, Exchange } from './call.ts'
import { askToStop } from './cancel.ts'
import { createCaller } from './undici-caller.ts'

const limits: CallLimits = { requestTimeoutMs: 30_000, connectTimeoutMs: 5_000, signal: new AbortController().signal }
const call: Call = { method: 'POST', path: '/', headers: [], body: null }

function open() {
  const caller = createCaller()
  onTestFinished(() => caller.close())
  return caller
}

function answer(exchange: Exchange) {
  if (exchange.kind !== 'answered') throw new Error(`no answer but ${JSON.stringify(exchange)}`)
  return exchange
}

describe('an exchange', () => {
  test('carries method, path, headers and body as they are, both ways', async () => {
    const address = await httpRunner((request: IncomingMessage, response: ServerResponse) => {
      response.writeHead(
        207,
        [
          ['x-seen', `${request.method} ${request.url} ${String(request.headers['x-accent'])}`],
          ['set-cookie', 'a'],
          ['set-cookie', 'b'],
          ['x-back', 'é'],
        ].flat(),
      )
      request.pipe(response)
    })
    const { status, headers, body, ended } = answer(
      await open().exchange(
        address,
        { method: 'PUT', path: '/a?b=%20', headers: [['x-accent', 'ü']], body: Buffer.from('payload') },
        limits,
      ),
    )
    expect(status).toBe(207)
    expect(headers.slice(0, 4)).toEqual([
      ['x-seen', 'PUT /a?b=%20 ü'],
      ['set-cookie', 'a'],
      ['set-cookie', 'b'],
      ['x-back', 'é'],
    ])
    expect(await text(body)).toBe('payload')
    expect(await ended).toEqual({ kind: 'complete' })
  })

  test.each(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'PATCH'])('may be a %s with a body', async (method) => {
    const address = await httpRunner(async (request, response) => {
      response.setHeader('x-body', await text(request))
      response.end()
    })
    const { headers, body } = answer(
      await open().exchange(address, { ...call, method, body: Buffer.from('b') }, limits),
    )
    expect(headers).toContainEqual(['x-body', 'b'])
    body.resume()
  })

  test('streams a body of known or unknown length', async () => {
    const address = await httpRunner(async (request, response) => {
      response.setHeader('x-length', String(request.headers['content-length']))
      response.end(await text(request))
    })
    const caller = open()
    const body = () => Readable.from([Buffer.from('one'), Buffer.from('two')])
    const chunked = answer(await caller.exchange(address, { ...call, body: body() }, limits))
    const sized = answer(
      await caller.exchange(address, { ...call, headers: [['content-length', '6']], body: body() }, limits),
    )
    expect([await text(chunked.body), await text(sized.body)]).toEqual(['onetwo', 'onetwo'])
    expect(chunked.headers).toContainEqual(['x-length', 'undefined'])
    expect(sized.headers).toContainEqual(['x-length', '6'])
  })

  test('neither follows redirects nor unpacks bodies', async () => {
    const packed = gzipSync('text')
    const address = await httpRunner((_, response) =>
      response.writeHead(302, { location: '/else', 'content-encoding': 'gzip' }).end(packed),
    )
    const { status, headers, body } = answer(await open().exchange(address, call, limits))
    expect(status).toBe(302)
    expect(headers).toContainEqual(['location', '/else'])
    expect(await buffer(body)).toEqual(packed)
  })

  test('is told as soon as the headers are there', async () => {
    let finish = () => {}
    const address = await httpRunner((_, response) => {
      response.write('first')
      finish = () => response.end('last')
    })
    const { body, ended } = answer(await open().exchange(address, call, limits))
    finish()
    expect(await text(body)).toBe('firstlast')
    expect(await ended).toEqual({ kind: 'complete' })
  })
})

describe('what goes wrong is told apart:', () => {
  test('refused', async () => {
    const server = createTcpServer()
    const address = await listening(server)
    server.close()
    await once(server, 'close')
    expect(await open().exchange(address, call, limits)).toMatchObject({ kind: 'refused' })
  })

  test.each<[string, (socket: Socket) => void]>([
    ['closed', (socket) => void socket.once('data', () => socket.end())],
    ['reset', (socket) => void socket.once('data', () => socket.resetAndDestroy())],
  ])('disconnected, when it was %s before an answer', async (_, handle) => {
    expect(await open().exchange(await rawRunner(handle), call, limits)).toMatchObject({ kind: 'disconnected' })
  })

  test.each<[string, string]>([
    ['by length', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc'],
    ['by chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n'],
  ])('incomplete, when the body breaks off %s', async (_, bytes) => {
    const address = await rawRunner((socket) => void socket.once('data', () => socket.end(bytes)))
    const { body, ended } = answer(await open().exchange(address, call, limits))
    await expect(text(body)).rejects.toThrow()
    expect(await ended).toMatchObject({ kind: 'incomplete' })
  })

  test.each<[string, string]>([['it is not HTTP', 'hello\r\n\r\n']])('incomplete, when %s', async (_, bytes) => {
    const address = await rawRunner((socket) => void socket.once('data', () => socket.end(bytes)))
    expect(await open().exchange(address, call, limits)).toMatchObject({ kind: 'incomplete' })
  })

  test('oversized, when the headers are larger than 16 KiB together', async () => {
    const headers = (bytes: number) => `HTTP/1.1 200 OK\r\nx-large: ${'x'.repeat(bytes)}\r\ncontent-length: 0\r\n\r\n`
    const answering = (bytes: number) =>
      rawRunner((socket) => void socket.once('data', () => socket.end(headers(bytes))))
    expect(await open().exchange(await answering(17_000), call, limits)).toMatchObject({ kind: 'oversized' })
    const { body } = answer(await open().exchange(await answering(15_000), call, limits))
    body.resume()
  })

  test('timed out, before the answer and within it', async () => {
    const silent = await httpRunner(() => {})
    const slow = await httpRunner((_, response) => void response.write('first'))
    const caller = open()
    expect(await caller.exchange(silent, call, { ...limits, requestTimeoutMs: 50 })).toEqual({
      kind: 'timed_out',
      afterMs: 50,
    })
    const { body, ended } = answer(await caller.exchange(slow, call, { ...limits, requestTimeoutMs: 300 }))
    await expect(text(body)).rejects.toThrow()
    expect(await ended).toEqual({ kind: 'timed_out', afterMs: 300 })
  })

  test('aborted, before the answer and within it, also by a reader that goes', async () => {
    const silent = await httpRunner(() => {})
    const slow = await httpRunner((_, response) => void response.write('first'))
    const caller = open()
    expect(await caller.exchange(silent, call, { ...limits, signal: AbortSignal.timeout(20) })).toEqual({
      kind: 'aborted',
    })
    const abort = new AbortController()
    const cut = answer(await caller.exchange(slow, call, { ...limits, signal: abort.signal }))
    cut.body.on('error', () => {})
    abort.abort()
    expect(await cut.ended).toEqual({ kind: 'aborted' })
    const left = answer(await caller.exchange(slow, call, limits))
    left.body.destroy()
    expect(await left.ended).toEqual({ kind: 'aborted' })
  })
})

const closed = async (socket: Socket): Promise<void> => void (socket.closed || (await once(socket, 'close')))

test('a kept connection that the runner has closed costs no call', async () => {
  const sockets = new Set<Socket>()
  const server = createServer((_, response) => response.end('ok'))
  server.on('connection', (socket) => sockets.add(socket))
  const address = await listening(server)
  const caller = open()
  for (let round = 0; round < 20; round += 1) {
    const { body, ended } = answer(await caller.exchange(address, call, limits))
    body.resume()
    await ended
    for (const socket of sockets) socket.destroy()
    await Promise.all([...sockets].map(closed))
    sockets.clear()
  }
})

describe('a kept connection', () => {
  /** Answers with the number of the connection that a call came on. */
  async function numbering(statusOf: (path: string) => number) {
    const connections = new Set<Socket>()
    const address = await httpRunner((request, response) => {
      connections.add(request.socket)
      response.writeHead(statusOf(request.url ?? '')).end(String(connections.size))
    })
    const caller = open()
    return async (path: string) => {
      const number = await text(answer(await caller.exchange(address, { ...call, path }, limits)).body)
      await turn() // a connection is free again when its answer is
      return number
    }
  }

  test('is used again', async () => {
    const on = await numbering((path) => Number(path.slice(1)))
    expect([await on('/200'), await on('/404'), await on('/499'), await on('/200')]).toEqual(['1', '1', '1', '1'])
  })

  test.each([500, 502, 503, 504])('is not after a %d: the app’s server may be about to close it', async (status) => {
    const on = await numbering((path) => Number(path.slice(1)))
    expect([await on('/200'), await on(`/${status}`), await on('/200'), await on('/200')]).toEqual(['1', '1', '2', '2'])
  })

  test('with a failed call beside it carries its own to the end', async () => {
    let finish = () => {}
    const address = await httpRunner((request, response) => {
      if (request.url === '/fail') response.writeHead(500).end()
      else {
        response.write('first ')
        finish = () => void response.end('last')
      }
    })
    const caller = open()
    const slow = answer(await caller.exchange(address, call, limits))
    answer(await caller.exchange(address, { ...call, path: '/fail' }, limits)).body.resume()
    finish()
    expect(await text(slow.body)).toBe('first last')
    expect(await slow.ended).toEqual({ kind: 'complete' })
  })
})

test('asking to stop is a POST to the path with /cancel behind it, under the id of the request', async () => {
  const seen: unknown[] = []
  const address = await httpRunner(({ method, url, headers }, response) => {
    seen.push([method, url, headers['x-fal-request-id'], headers['x-fal-endpoint']])
    response.writeHead(404).end('no such path')
  })
  const origin = { requestId: 'r', endpoint: 'ann/hello/generate', callerId: 'c' }
  await askToStop(open(), address, { ...origin, path: '/generate?x=1' })
  await askToStop(open(), address, { ...origin, path: '/' })
  expect(seen).toEqual([
    ['POST', '/generate/cancel', 'r', 'ann/hello/generate'],
    ['POST', '/cancel', 'r', 'ann/hello/generate'],
  ])
})
