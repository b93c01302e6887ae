import type { RequestListener } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { openTestRunner } from '../testing/runner.ts'
import { accepts, isHealthy } from './probe.ts'

const check = { path: '/health', method: 'POST', timeoutSeconds: 0.5 } as const

async function runner(listener: RequestListener) {
  const open = await openTestRunner(listener)
  onTestFinished(() => open[Symbol.asyncDispose]())
  return open.address
}

test.each<[what: string, listener: RequestListener, healthy: boolean]>([
  ['204', (_, res) => void res.writeHead(204).end(), true],
  ['200 with a body that never ends', (_, res) => void res.writeHead(200).write('x'), true],
  ['404', (_, res) => void res.writeHead(404).end(), false],
  ['500', (_, res) => void res.writeHead(500).end(), false],
  ['a closed connection', (req) => void req.socket.destroy(), false],
  ['nothing in time', () => {}, false],
])('a health check that gets %s', async (_, listener, healthy) => {
  expect(await isHealthy(await runner(listener), check)).toBe(healthy)
})

test('it asks by the method and the path that the app declares', async () => {
  const seen: unknown[] = []
  const address = await runner((req, res) => {
    seen.push(req.method, req.url, req.headers['content-length'])
    res.end()
  })
  await isHealthy(address, check)
  await isHealthy(address, { ...check, method: 'GET', path: '/ready?deep=1' })
  expect(seen).toEqual(['POST', '/health', '0', 'GET', '/ready?deep=1', undefined])
})

test('a port that nobody listens on is neither healthy nor open', async () => {
  const nobody = { host: '127.0.0.1', port: 1 }
  expect([await isHealthy(nobody, check), await accepts(nobody)]).toEqual([false, false])
})
