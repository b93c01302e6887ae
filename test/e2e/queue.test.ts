import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, until } from './carrick.ts'

/** What an owner sets of a queue with `carrick queue`, as callers with fal_client 1.0.3 see it. */
describe('an owner of a queue', () => {
  let carrick: Carrick
  beforeAll(async () => {
    carrick = await Carrick.start()
    await carrick.deploy('echo.py::Echo', 'echo')
  })
  afterAll(() => carrick[Symbol.asyncDispose]())

  const queue = async (...args: string[]) => {
    const { code, stdout, stderr } = await carrick.carrick('queue', ...args)
    expect([code, stderr]).toEqual([0, ''])
    return stdout
  }
  const submit = (text: string) =>
    carrick.python<string>(
      `
import fal_client, json, sys
print(json.dumps(fal_client.submit("tester/echo", {"text": sys.argv[1]}).request_id))`,
      text,
    )
  const statusOf = (id: string) =>
    carrick.python<{ status: string; position?: number }>(
      `
import fal_client, json, sys
status = fal_client.status("tester/echo", sys.argv[1])
print(json.dumps({"status": type(status).__name__, "position": getattr(status, "position", None)}))`,
      id,
    )
  const hasEnded = async (id: string) => (await carrick.ask(`/queue/tester/echo/requests/${id}/status`)).status === 200
  const resultOf = (id: string) =>
    carrick.python<{ text?: string; refused?: number }>(
      `
import fal_client, json, sys
try:
    print(json.dumps(fal_client.result("tester/echo", sys.argv[1])))
except fal_client.client.FalClientHTTPError as error:
    print(json.dumps({"refused": error.status_code, "said": str(error)}))`,
      id,
    )

  test('pauses it: submits wait, also across a restart, direct calls go on; resumes it: they run at once', async () => {
    expect(await queue('pause', 'echo')).toContain('The queue of echo is paused: 0 waiting')
    const [first, second] = [await submit('first'), await submit('second')]
    expect(await statusOf(second)).toEqual({ status: 'Queued', position: 1 })
    expect((await carrick.fal('queue', 'size', 'echo')).stdout).toContain('2')
    const direct = 'import fal_client, json; print(json.dumps(fal_client.run("tester/echo", {"text": "direct"})))'
    expect(await carrick.python(direct)).toMatchObject({ text: 'direct' })
    await until(async () => (await carrick.status()).runners === 0, 'the idle runner to go although requests wait')
    expect(await carrick.status()).toMatchObject({ queued: 2, running: 0, paused: ['tester/echo'] })

    await carrick.down('SIGKILL')
    await carrick.up()
    expect(JSON.parse(await queue('show', 'tester/echo', '--json'))).toMatchObject({ paused: true, queue_size: 2 })
    expect(await statusOf(first)).toEqual({ status: 'Queued', position: 0 })
    expect(await carrick.status()).toMatchObject({ runners: 0 })

    expect(await queue('resume', 'echo')).toContain('The queue of echo is running')
    await until(() => hasEnded(second), 'both to run')
    expect(await resultOf(first)).toMatchObject({ text: 'first' })
    expect((await carrick.carrick('status')).stdout).not.toContain('Paused')
  })

  test('what waits too long in a paused queue ends with 504', async () => {
    await queue('pause', 'echo')
    const headers = { 'x-fal-request-timeout': '1', 'content-type': 'application/json' }
    const answer = await carrick.ask('/queue/tester/echo', { method: 'POST', headers, body: '{"text": "late"}' })
    const { request_id } = (await answer.json()) as { request_id: string }
    await until(() => hasEnded(request_id), 'the deadline to pass')
    expect(await resultOf(request_id)).toMatchObject({ refused: 504 })
    await queue('resume', 'echo')
  })

  test('says how long requests are kept: when that is over, they are gone like any that never were', async () => {
    const id = await submit('brief')
    await until(() => hasEnded(id), 'it to run')
    expect(await resultOf(id)).toMatchObject({ text: 'brief' })
    expect(await queue('set', 'echo', '--retention', '2s')).toContain('kept for 2 seconds once they have ended')
    await until(async () => !(await hasEnded(id)), 'the request to go')
    expect(await resultOf(id)).toMatchObject({ refused: 404 })
    const status = await carrick.ask(`/queue/tester/echo/requests/${id}/status`)
    expect([status.status, await status.json()]).toEqual([404, { status: 'NOT_FOUND' }])
    const metrics = await (await carrick.ask('/metrics')).text()
    expect(Number(/carrick_swept_total\{kind="requests"\} (\d+)/.exec(metrics)?.[1])).toBeGreaterThan(0)
    expect(await queue('set', 'echo', '--retention', 'default')).toContain('as long as the server is set to')
  })

  test('is told what cannot be, and of whose queue they know nothing', async () => {
    const refused = async (...args: string[]) => {
      const { code, stderr } = await carrick.carrick('queue', ...args)
      return [code, stderr] as const
    }
    expect(await refused('set', 'echo', '--retention', 'soon')).toEqual([2, expect.stringContaining('30d, 12h or 90s')])
    expect(await refused('set', 'echo')).toEqual([1, expect.stringContaining('say what to change')])
    expect(await refused('pause', 'nowhere')).toEqual([
      1,
      expect.stringContaining('Application "tester/nowhere" not found'),
    ])
    expect(await refused('pause', 'a/b/c')).toEqual([1, expect.stringContaining('is no app')])
  })
})
