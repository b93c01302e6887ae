import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { expect, test, vi } from 'vitest'
import { CarrickError } from '../domain/errors.ts'
import type { Logger } from '../kit/logger.ts'
import { silent } from '../kit/logger.ts'
import { openTestGateway } from '../testing/gateway.ts'
import { errorAnswer, StartDeadlinePassed } from './errors.ts'

test('refusals have one field, failures name their type, and the header always does', () => {
  expect(errorAnswer(new CarrickError('app_not_found', 'no such app'))).toEqual({
    status: 404,
    headers: [['x-fal-error-type', 'app_not_found']],
    body: { detail: 'no such app' },
  })
  expect(errorAnswer(new CarrickError('disk_full', 'the disk is full'))).toEqual({
    status: 507,
    headers: [['x-fal-error-type', 'disk_full']],
    body: { detail: 'the disk is full', error_type: 'disk_full' },
  })
})

test("a caller's own deadline is told from the platform's limits", () => {
  expect(errorAnswer(new StartDeadlinePassed()).headers).toContainEqual(['x-fal-request-timeout-type', 'user'])
  expect(errorAnswer(new CarrickError('request_timeout', 'm')).headers).toEqual([
    ['x-fal-error-type', 'request_timeout'],
  ])
})

test('while the platform goes down nothing new is taken in, and what was taken in can be asked for', async () => {
  let accepting = true
  await using gateway = await openTestGateway({ accepting: () => accepting })
  const app = await gateway.addApp('hello')
  const answer = await gateway.fetch('/queue/ann/hello', { method: 'POST' })
  const { status_url: url }: { status_url: string } = JSON.parse(await answer.text())
  accepting = false
  for (const path of ['/queue/ann/hello', '/ann/hello']) {
    const refused = await gateway.fetch(path, { method: 'POST' })
    expect([refused.status, refused.headers.get('x-fal-error-type')]).toEqual([503, 'draining'])
  }
  expect(app.home.queueLength).toBe(1)
  expect((await gateway.fetch(url.slice(gateway.url.length))).status).toBe(202)
})

test('a request whose body ends while the platform goes down is accepted, and starts nothing', async () => {
  const accepting = vi.fn(() => true)
  await using gateway = await openTestGateway({ accepting })
  const { home } = await gateway.addApp('hello', { runner: (_, res) => res.end() })
  const reserve = vi.spyOn(home, 'reserve')
  const outgoing = request(`${gateway.url}/queue/ann/hello`, {
    method: 'POST',
    headers: { authorization: `Key ${gateway.keys.ann}` },
  })
  outgoing.write('the first half')
  await vi.waitFor(() => expect(accepting).toHaveBeenCalled())
  accepting.mockReturnValue(false)
  outgoing.end()
  const [answer]: IncomingMessage[] = await once(outgoing, 'response')
  expect(answer?.resume().statusCode).toBe(200)
  expect(reserve).not.toHaveBeenCalled()
})

test('what nobody foresaw is a 500 with an id, and is logged once under it', async () => {
  const logged: object[] = []
  const log: Logger = { ...silent, error: (fields) => void logged.push(fields) }
  const broken = () => {
    throw new TypeError('a secret detail')
  }
  await using gateway = await openTestGateway({ log, blobs: { put: broken, open: broken, pathOf: broken } })
  await gateway.addApp('hello')
  const answer = await gateway.fetch('/queue/ann/hello', { method: 'POST', body: 'x'.repeat(100_000) })
  const requestId = answer.headers.get('x-fal-request-id')
  expect(answer.status).toBe(500)
  const text = await answer.text()
  expect(JSON.parse(text)).toEqual({ detail: expect.stringContaining(String(requestId)), error_type: 'internal_error' })
  expect(text).not.toContain('secret')
  expect(logged).toMatchObject([{ requestId }])
})

test('a full disk is told as such, and nothing is acknowledged', async () => {
  const full = () => Promise.reject(new CarrickError('disk_full', 'The disk is full'))
  await using gateway = await openTestGateway({ blobs: { put: full, open: full, pathOf: full } })
  const app = await gateway.addApp('hello')
  const answer = await gateway.fetch('/queue/ann/hello', { method: 'POST', body: 'x'.repeat(100_000) })
  expect([answer.status, await answer.json()]).toMatchObject([507, { error_type: 'disk_full' }])
  expect(app.home.queueLength).toBe(0)
})

test('a caller is told why no runner can be started, and at once where its account may spend no more', async () => {
  let spent = false
  await using gateway = await openTestGateway({
    unplacedOf: () => ({ kind: 'maintenance', machines: ['box'] }),
    isOverBudget: () => spent,
  })
  await gateway.addApp('asleep')
  const late = await gateway.fetch('/ann/asleep', { method: 'POST', headers: { 'x-fal-request-timeout': '1' } })
  expect([late.status, await late.text()]).toEqual([504, expect.stringContaining(': its machine is in maintenance')])

  spent = true
  const refused = await gateway.fetch('/ann/asleep', { method: 'POST' })
  expect([refused.status, refused.headers.get('x-fal-error-type')]).toEqual([403, 'budget_exhausted'])
  expect(await refused.text()).toContain('its account has spent what it may spend this month')
  const waits = await gateway.fetch('/queue/ann/asleep', { method: 'POST' })
  expect(waits.status).toBe(200)
})
