import type { RequestListener } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { openTestRunner } from '../testing/runner.ts'
import { accepts, whatIsWrong } from './probe.ts'

const check = { path: '/health', method: 'POST', timeoutSeconds: 0.5 } as const

async function runner(listener: RequestListener) {
  const open = await openTestRunner(listener)
  onTestFinished(() => open[Symbol.asyncDispose]())
  return open.address
}

test.each<[what: string, listener: RequestListener, wrong: string | undefined]>([
  ['204', (_, res) => void res.writeHead(204).end(), undefined],
  ['200 with a body that never ends', (_, res) => void res.writeHead(200).write('x'), undefined],
  ['404', (_, res) => void res.writeHead(404).end(), 'answered 404'],
  ['500', (_, res) => void res.writeHead(500).end(), 'answered 500'],
  ['a closed connection', (req) => void req.socket.destroy(), 'failed: socket hang up'],
  ['nothing in time', () => {}, 'did not answer within 0.5 s'],
])('a health check that gets %s', async (_, listener, wrong) => {
  expect(await whatIsWrong(await runner(listener), check)).toBe(wrong)
})

test('it asks by the method and the path that the app declares', async () => {
  const seen: unknown[] = []
  const address = await runner((req, res) => {
    seen.push(req.method, req.url, req.headers['content-length'])
    res.end()
  })
  await whatIsWrong(address, check)
  await whatIsWrong(address, { ...check, method: 'GET', path: '/ready?deep=1' })
  expect(seen).toEqual(['POST', '/health', '0', 'GET', '/ready?deep=1', undefined])
})

test('a port that nobody listens on is neither healthy nor open', async () => {
  const nobody = { host: '127.0.0.1', port: 1 }
  expect(await whatIsWrong(nobody, check)).toContain('ECONNREFUSED')
  expect(await accepts(nobody)).toBe(false)
})
