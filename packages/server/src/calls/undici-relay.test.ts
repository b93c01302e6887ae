import { once } from 'node:events'
import { createServer } from 'node:net'
import { PassThrough, type Writable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import type { Address } from '../domain/runner.ts'
import { httpRunner, listening, rawRunner } from '../testing/http-runner.ts'
import type { BeginAnswer, Call, TimeLimits } from './call.ts'
import { createCaller } from './undici-caller.ts'

const limits: TimeLimits = { requestTimeoutMs: 30_000, connectTimeoutMs: 5_000 }
const call: Call = { method: 'POST', path: '/', headers: [], body: null }

function open() {
  const caller = createCaller()
  onTestFinished(() => caller.close())
  return (address: Address, begin: BeginAnswer, more: Partial<TimeLimits> = {}) =>
    caller.relay(address, call, { ...limits, ...more }, begin)
}

/** Somebody who takes the answer. */
function taker(out: Writable = new PassThrough()) {
  const begun: { status: number; headers: readonly (readonly [string, string])[] }[] = []
  out.on('error', () => {})
  const begin: BeginAnswer = (status, headers) => {
    begun.push({ status, headers })
    return out
  }
  return { out, begun, begin }
}

test('an answer goes on as it comes, with every byte of its headers', async () => {
  const address = await rawRunner((socket) => {
    socket.once('data', () => {
      socket.write(Buffer.from('HTTP/1.1 207 x\r\nX-Back: \xe9\r\nset-cookie: a\r\nset-cookie: b\r\n', 'latin1'))
      socket.write('content-length: 10\r\n\r\nfirst')
      setImmediate(() => socket.write('later'))
    })
  })
  const { begun, begin, out } = taker()
  const relayed = await open()(address, begin)
  expect(relayed).toMatchObject({ kind: 'answered', status: 207, end: { kind: 'complete' } })
  expect(begun).toEqual([
    {
      status: 207,
      headers: [
        ['x-back', 'é'],
        ['set-cookie', 'a'],
        ['set-cookie', 'b'],
        ['content-length', '10'],
      ],
    },
  ])
  expect(await text(out as PassThrough)).toBe('firstlater')
})

test('an app waits for a caller that reads slowly, and goes on when it reads', async () => {
  const whole = 32 * 1024 * 1024
  let sent = 0
  const address = await httpRunner((_, response) => {
    const piece = Buffer.alloc(64 * 1024)
    const more = (): void => {
      while (sent < whole) {
        sent += piece.length
        if (!response.write(piece)) return void response.once('drain', more)
      }
      response.end()
    }
    more()
  })
  const { begun, begin, out } = taker()
  const relayed = open()(address, begin)
  await expect.poll(() => begun.length).toBe(1)
  let before = -1
  while (before !== sent) {
    before = sent
    for (let turns = 0; turns < 200; turns += 1) await turn()
  }
  expect(sent).toBeLessThan(whole / 2)
  let read = 0
  for await (const chunk of out as PassThrough) read += (chunk as Buffer).length
  expect(read).toBe(whole)
  expect(await relayed).toMatchObject({ end: { kind: 'complete' } })
})

test('a caller that leaves ends the exchange, and the app sees it', async () => {
  const closed = Promise.withResolvers<void>()
  const address = await httpRunner((_, response) => {
    response.once('close', closed.resolve)
    response.write('first')
  })
  const { begun, begin, out } = taker()
  const relayed = open()(address, begin)
  await expect.poll(() => begun.length).toBe(1)
  out.destroy()
  expect(await relayed).toMatchObject({ kind: 'answered', end: { kind: 'aborted' } })
  await closed.promise
})

test('an answer that nobody wants is not read', async () => {
  const address = await httpRunner((_, response) => response.end('unwanted'))
  expect(await open()(address, () => undefined)).toMatchObject({ kind: 'answered', end: { kind: 'aborted' } })
})

test('an answer that cannot be begun is none, and the exchange is over', async () => {
  const closed = Promise.withResolvers<void>()
  const address = await httpRunner((_, response) => {
    response.once('close', closed.resolve)
    response.write('first')
  })
  const relayed = await open()(address, () => {
    throw new Error('it cannot be written')
  })
  expect(relayed).toEqual({ kind: 'connection_error', message: 'it cannot be written' })
  await closed.promise
})

test('an answer that breaks off takes what was begun along', async () => {
  const address = await rawRunner((socket) => {
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nfirst'))
  })
  const { begin, out } = taker()
  expect(await open()(address, begin)).toMatchObject({ kind: 'answered', end: { kind: 'incomplete' } })
  expect(out.destroyed).toBe(true)
})

test('the time is over before an answer, and within one', async () => {
  const soon = { requestTimeoutMs: 100 }
  const silent = await httpRunner(() => {})
  const slow = await httpRunner((_, response) => void response.write('first'))
  const nobody = taker()
  expect(await open()(silent, nobody.begin, soon)).toEqual({ kind: 'timed_out', afterMs: 100 })
  expect(nobody.begun).toEqual([])
  const { begin, out } = taker()
  expect(await open()(slow, begin, soon)).toMatchObject({ kind: 'answered', end: { kind: 'timed_out', afterMs: 100 } })
  expect(out.destroyed).toBe(true)
})

test('nobody there is told apart from somebody who hangs up', async () => {
  const hangsUp = await rawRunner((socket) => void socket.once('data', () => socket.destroy()))
  expect(await open()(hangsUp, taker().begin)).toMatchObject({ kind: 'disconnected' })
  const gone = createServer()
  const address = await listening(gone)
  gone.close()
  await once(gone, 'close')
  expect(await open()(address, taker().begin)).toMatchObject({ kind: 'refused' })
})

test('after a failure of the app the next call comes on a connection of its own', async () => {
  const connections = new Set<unknown>()
  const address = await httpRunner((request, response) => {
    connections.add(request.socket)
    response.writeHead(connections.size === 1 ? 500 : 200).end()
  })
  const relaying = open()
  for (const count of [1, 2, 2]) {
    await relaying(address, taker().begin)
    await turn() // a connection is free again when its answer is
    expect(connections.size).toBe(count)
  }
})
