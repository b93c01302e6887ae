import { mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Carrick, until } from './carrick.ts'

const mark = 'not-for-logs-4711'
/** As a caller has it from a store of objects: who holds it may put something there. */
const policy = JSON.stringify({
  url: 'https://bucket.s3.eu-west-1.amazonaws.com/',
  fields: { key: 'uploads/${filename}', policy: 'e30=', signature: mark },
})
const said = 'server-said'

let carrick: Carrick
beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'carrick-e2e-'))
  const begunBy = ['sh', '-c', `exec "$@" 2>'${join(folder, said)}'`, 'sh']
  carrick = await Carrick.startIn(folder, { CARRICK_LOG_LEVEL: 'debug' }, begunBy)
  await carrick.deploy('told.py::Told', 'told')
})
afterAll(() => carrick[Symbol.asyncDispose]())

const post = (path: string, order: object, headers: Record<string, string> = {}) =>
  carrick.ask(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-app-fal-upload-policy': policy, ...headers },
    body: JSON.stringify({ attempts: [order] }),
  })

test('a key and the policy of an upload are in no log, whatever becomes of their requests', async () => {
  const statuses = [
    post('/tester/told', {}),
    post('/tester/told', {}, { 'x-fal-request-timeout': 'soon' }),
    post('/tester/nothing', {}),
    post('/tester/told/nowhere', {}),
    post('/tester/told', {}, { authorization: `Key ${mark}:${mark}` }),
  ].map(async (answer) => (await answer).status)
  expect(await Promise.all(statuses)).toEqual([200, 400, 404, 404, 401])
  expect((await post('/tester/told', { exits: true })).status, 'a runner that crashes').toBe(503)
  const submitted = await post('/queue/tester/told', { exits: true }, { 'x-fal-no-retry': '1' })
  const { request_id: id } = (await submitted.json()) as { request_id: string }
  await until(async () => (await carrick.ask(`/queue/tester/told/requests/${id}/status`)).status === 200, 'an outcome')

  const lines = await carrick.ask('/v1/serverless/logs/history?app_id=tester/told&limit=1000', { method: 'POST' })
  const logs = [await lines.text(), await readFile(join(carrick.folder, said), 'utf8')]
  expect(logs[0]).toContain('POST /nowhere')
  expect(logs[1]).toContain('"level"')
  const [, secret = ''] = (carrick.variables['FAL_KEY'] ?? '').split(':')
  expect(secret).not.toBe('')
  for (const log of logs) for (const hidden of [mark, secret]) expect(log).not.toContain(hidden)
})
