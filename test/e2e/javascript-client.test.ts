import { expect, test } from 'vitest'
import { Carrick } from './carrick.ts'

/** @fal-ai/client 1.10.1, unmodified, in Node. */
test('the official JavaScript client does everything it can', async () => {
  await using carrick = await Carrick.start()
  await carrick.deploy('echo.py::Echo', 'echo')
  expect(await carrick.javascriptFile('javascript.ts')).toMatchObject({
    calls,
    clients,
    queue,
    subscriptions,
    streams,
    files,
    full,
  })
})

const failed = (status: number, message: string, more: object = {}) => ({
  name: 'ApiError',
  kinds: [true, false],
  field: 0,
  named: true,
  isUserTimeout: false,
  status,
  message,
  ...more,
})
const invalid = failed(422, 'Unprocessable Entity', { name: 'ValidationError', kinds: [true, true], field: 1 })
const stopped = failed(499, 'Client Closed Request')
const overdue = failed(504, 'Gateway Timeout', { isUserTimeout: true })
const lifecycle =
  '{"expiration_duration_seconds":3600,"initial_acl":{"default":"hide","rules":[{"user":"tester","decision":"allow"}]}}'

const calls = {
  ran: { text: 'run', headers: { 'x-fal-object-lifecycle-preference': lifecycle } },
  named: true,
  got: failed(405, 'Method Not Allowed'),
  left: 'AbortError',
  invalid,
  failed: failed(500, 'Internal Server Error'),
  unknown: failed(404, 'Not Found'),
}
const target = 'https://fal.run/tester/nothing'
const clients = {
  handled: { data: { text: '' } },
  asked: ['https://fal.run/tester/echo'],
  retried: [404, expect.arrayContaining([target, target])],
  retryable: [true, false],
  parsed: { owner: 'a', alias: 'b', path: 'c', namespace: 'workflows' },
}
const queue = {
  submitted: { status: 'IN_QUEUE', queue_position: 0, logs: null, metrics: {} },
  streamed: 'COMPLETED',
  status: { logs: expect.arrayContaining([expect.objectContaining({ message: 'echoing queued', source: 'USER' })]) },
  kinds: [expect.anything(), true, false], // the first answers with what it found, not with a boolean
  result: { text: 'queued', headers: { 'x-mine': 'yes' } },
  late: failed(400, 'Bad Request', { named: false }),
}
const subscriptions = {
  subscribed: { text: 'subscribe', headers: { 'x-mine': 'yes' } },
  named: true,
  lines: expect.arrayContaining(['echoing subscribe']),
  followed: { text: 'followed' },
  late: { name: 'Error', message: expect.stringContaining('timed out') },
  ended: { status: 'COMPLETED', error: 'Invalid status code: 499' },
  stopped,
}
const numbers = [{ number: 0 }, { number: 1 }, { number: 2 }]
const streams = {
  events: numbers,
  heard: numbers,
  ends: ['done'],
  last: { number: 2 },
  named: true,
  left: [expect.anything(), true],
  refused: invalid,
}
const files = { uploaded: 'stored', nested: 'in an input', plain: 1 }
const full = { overdue, queued: overdue }
