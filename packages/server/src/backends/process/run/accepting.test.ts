import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { PassThrough } from 'node:stream'
import { afterEach, expect, test } from 'vitest'
import { freePort } from '../../../testing/free-port.ts'
import { hear, whenAccepting, type Words } from './accepting.ts'

const servers: Server[] = []
afterEach(() => servers.splice(0).forEach((server) => server.close()))

async function listenOn(port: number, host = '127.0.0.1'): Promise<void> {
  const server = createServer((socket) => socket.destroy())
  servers.push(server)
  await once(server.listen(port, host), 'listening')
}

const never = new AbortController().signal
const nothing = new Promise<boolean>(() => {})
const silence: Words = { bound: nothing, listening: nothing }
const nobody: Words = { bound: Promise.resolve(false), listening: Promise.resolve(false) }
const said: Words = { bound: Promise.resolve(true), listening: Promise.resolve(true) }

/** What is known after a few looks. */
const soon = <T>(answer: Promise<T>) => Promise.race([answer, new Promise((wake) => setTimeout(wake, 100, 'not yet'))])

test('the port of a program that tells nothing is found, whether a word may still come or not', async () => {
  for (const told of [silence, nobody]) {
    const port = await freePort()
    const address = whenAccepting(port, told, never)
    expect(await soon(address)).toBe('not yet')
    await listenOn(port)
    expect(await address).toEqual({ host: '127.0.0.1', port })
  }
})

test('a word makes it look, and is not believed when there is nothing', async () => {
  const port = await freePort()
  const address = whenAccepting(port, said, never)
  expect(await soon(address)).toBe('not yet')
  await listenOn(port)
  expect(await address).toEqual({ host: '127.0.0.1', port })
})

test('a program may listen on IPv6 alone', async () => {
  const port = await freePort()
  await listenOn(port, '::1')
  expect(await whenAccepting(port, silence, never)).toEqual({ host: '::1', port })
})

test('the end of the runner ends the looking', async () => {
  const over = new AbortController()
  const address = whenAccepting(await freePort(), silence, over.signal)
  over.abort()
  expect(await address).toBeUndefined()
})

test('where nobody can listen before the port is taken, it looks once it is, and at once', async () => {
  const port = await freePort()
  const taken = Promise.withResolvers<boolean>()
  const address = whenAccepting(port, { bound: taken.promise, listening: nothing }, never, { onceBound: true })
  await listenOn(port)
  expect(await soon(address)).toBe('not yet')
  taken.resolve(true)
  expect(await address).toEqual({ host: '127.0.0.1', port })
})

test('a runner that ends before it took its port is not waited for', async () => {
  const over = new AbortController()
  const address = whenAccepting(await freePort(), silence, over.signal, { onceBound: true })
  over.abort()
  expect(await address).toBeUndefined()
})

test('a pipe tells when something is written into it, and that nothing will come when it ends', async () => {
  const [spoken, silent, broken] = [new PassThrough(), new PassThrough(), new PassThrough()]
  const told = [spoken, silent, broken].map((pipe) => hear(pipe))
  spoken.write('\n')
  silent.end()
  broken.destroy(new Error('lost'))
  expect(await Promise.all(told.map(({ listening }) => listening))).toEqual([true, false, false])
  expect(await Promise.all(told.map(({ bound }) => bound))).toEqual([true, false, false])
  expect(spoken.destroyed).toBe(true)
})

test('that a port is taken is no word that somebody listens there', async () => {
  const pipe = new PassThrough()
  const { bound, listening } = hear(pipe)
  pipe.write('b')
  expect(await bound).toBe(true)
  expect(await soon(listening)).toBe('not yet')
  pipe.write('\n')
  expect(await listening).toBe(true)
})
