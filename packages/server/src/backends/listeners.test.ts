import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { listenersOf } from './listeners.ts'

const open: Server[] = []
afterEach(() => open.splice(0).forEach((server) => server.close()))

async function listenOn(host: string): Promise<number> {
  const server = createServer()
  open.push(server)
  await once(server.listen(0, host), 'listening')
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

test.each(['127.0.0.1', '0.0.0.0', '::1', '::'])('a server that listens on %s is told of there', async (host) => {
  const port = await listenOn(host)
  const found = (await listenersOf(process.pid)).filter((each) => each.port === port)
  expect(found).toEqual([{ host, port, inode: expect.stringMatching(/^\d+$/) }])
})

test('what is connected does not listen, and of a process that is gone nothing is told', async () => {
  const port = await listenOn('127.0.0.1')
  open.pop()?.close()
  expect((await listenersOf(process.pid)).some((each) => each.port === port)).toBe(false)
  expect(await listenersOf(2 ** 22 + 1)).toEqual([])
})
