import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, until } from './carrick.ts'

/** fal_client 1.0.3, unmodified, by environment variables alone. */
describe('the official Python client', () => {
  let carrick: Carrick
  beforeAll(async () => {
    carrick = await Carrick.start()
    await carrick.deploy('echo.py::Echo', 'echo')
  })
  afterAll(() => carrick[Symbol.asyncDispose]())

  test.each(['sync', 'async'])('does everything it can, by its functions for %s', async (how) => {
    const seen = await carrick.pythonFile<Record<string, unknown>>('everything.py', how, carrick.url)
    expect(seen).toMatchObject({ calls, handles, subscriptions, full, files })
    const { id, urls, same, got } = seen['handles'] as { id: string; urls: string[]; same: string[]; got: object }
    expect(urls).toEqual(same)
    expect(urls[0]).toBe(`${carrick.url}/queue/tester/echo/requests/${id}`)
    expect(got).toMatchObject({ request: id })
    expect((seen['calls'] as { run: { headers: object } }).run.headers).not.toHaveProperty('x-fal-runner-hint')
  })

  /** How long runners stay that have nothing to do: on a slow machine two seconds pass between two calls. */
  const stays = async (seconds: number) =>
    expect((await carrick.fal('apps', 'scale', 'echo', '--keep-alive', String(seconds))).code).toBe(0)

  test('goes back to the runner that it hints at', async () => {
    await stays(300)
    const seen = await carrick.python<{ runners: string[]; hinted: [string, string][] }>(`
import fal_client, json
handles = [fal_client.submit("tester/echo", {"seconds": 4}) for _ in range(3)]
runners = sorted({handle.get()["runner"] for handle in handles})
def hinted(runner):
    straight = fal_client.run("tester/echo", {}, hint=runner)["runner"]
    return [straight, fal_client.subscribe("tester/echo", {}, hint=runner)["runner"]]
print(json.dumps({"runners": runners, "hinted": [[runner, *hinted(runner)] for runner in runners * 2]}))
`)
    expect(seen.runners.length).toBeGreaterThan(1)
    for (const [runner, ...served] of seen.hinted) expect(served).toEqual([runner, runner])
    await stays(2)
  })

  test('scales from zero to max_concurrency and back to zero', async () => {
    await until(async () => (await carrick.status()).runners === 0, 'no runners')
    const runners = await carrick.python<string[]>(`
import fal_client, json
handles = [fal_client.submit("tester/echo", {"seconds": 4}) for _ in range(9)]
print(json.dumps(sorted({handle.get()["runner"] for handle in handles})))
`)
    expect(runners).toHaveLength(3)
    await until(async () => (await carrick.status()).runners === 0, 'no runners again')
  })
})

const http = (code: number, message: unknown, more: object = {}) => ({
  type: 'FalClientHTTPError',
  code,
  same: code,
  message,
  error_type: null,
  limit: null,
  fal: true,
  ...more,
})
const overdue = http(504, expect.stringContaining('could not start within the time'), {
  error_type: 'request_timeout',
  limit: 'user',
})
const completed = { state: 'Completed', is: true, error: null, error_type: null }
const policy = http(422, expect.stringContaining('Invalid x-app-fal-upload-policy'))

const calls = {
  run: { text: 'run', headers: { 'x-mine': 'yes', 'x-fal-endpoint': 'tester/echo/' } },
  policy: [policy, policy],
  method: http(405, 'Method Not Allowed'),
  failed: http(500, 'Internal Server Error'),
  invalid: http(422, expect.stringContaining('seconds')),
  impatient: { type: 'ReadTimeout' },
  unknown: http(404, 'Application "tester/nothing" not found', { error_type: 'app_not_found' }),
  stream: [{ number: 0 }, { number: 1 }, { number: 2 }],
  files: { text: 'data:text/plain;base64,Ynl0ZXM=' },
  nested: { 'x-fal-cdn-token': 'theirs', 'x-app-fal-can-disable-filter': '1' },
}
const logged = expect.arrayContaining([expect.objectContaining({ message: 'echoing queued' })])
const handles = {
  key: true,
  last: { ...completed, logs: logged, metrics: { inference_time: expect.any(Number) } },
  got: { text: 'queued', headers: { 'x-mine': '1' } },
  status: { ...completed, logs: logged },
  result: { text: 'queued' },
  again: [{ ...completed, logs: null }, 'queued'],
  late: http(400, expect.stringContaining('ALREADY_COMPLETED')),
  missing: http(404, expect.stringContaining('NOT_FOUND')),
}
const subscriptions = {
  result: { text: 'subscribed', headers: { 'x-mine': '1' } },
  ids: [expect.any(String)],
  lines: expect.arrayContaining(['echoing subscribed']),
  late: { type: 'FalClientTimeoutError', timeout: 1.5, request_id: expect.any(String) },
  afterwards: http(499, 'told to stop'),
  status: { state: 'Completed', error: 'Invalid status code: 499' },
}
const stopped = http(499, 'told to stop')
const full = {
  places: [
    { state: 'Queued', is: true, position: 1 },
    { state: 'Queued', is: true, position: 0 },
  ],
  direct: overdue,
  overdue,
  state: { state: 'Completed', error_type: 'request_timeout', metrics: { inference_time: null } },
  cancelled: http(499, 'The request was cancelled', { error_type: 'client_cancelled' }),
  stopped: [stopped, stopped, stopped],
  normal: 'normal',
}
const files = {
  read: ['text', 'bytes', 'from a file'],
  picture: '\u0089PNG',
  hidden: 404,
  encoded: ['data:text/plain;base64,d29yZHM=', 'data:text/plain;base64,ZnJvbSBhIGZpbGU=', 'data:image/png;base64,'],
}
