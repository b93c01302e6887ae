import { readFile, readdir } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, until } from './carrick.ts'

/** What is wrong with an app reaches the person who deployed it, and the old revision keeps serving. */
describe('deploying what cannot work', () => {
  let carrick: Carrick
  let good: string
  beforeAll(async () => {
    carrick = await Carrick.start()
    good = await carrick.deploy('echo.py::Echo', 'echo')
  })
  afterAll(() => carrick[Symbol.asyncDispose]())

  const serving = () =>
    carrick.python<string>('import fal_client, json; print(json.dumps(fal_client.run("tester/echo", {})["revision"]))')

  test('a raising setup() ends the deploy with its traceback, and the old revision keeps serving', async () => {
    await expect(carrick.deploy('broken_setup.py::Echo', 'echo')).rejects.toThrow('the weights are missing')
    expect(await serving()).toBe(good)
  })

  test('a missing module is named', async () => {
    await expect(carrick.deploy('missing_import.py::Missing', 'missing')).rejects.toThrow('a_module_that_is_not_there')
    expect((await carrick.fal('apps', 'list', '--json')).stdout, 'a failed first deploy leaves no app').not.toContain(
      'missing',
    )
  })

  test('an impossible requirement is answered in the resolver’s words', async () => {
    await expect(carrick.deploy('impossible.py::Impossible', 'impossible')).rejects.toThrow(/idna==999\.0/)
  })

  test('a name that no URL could hold is refused', async () => {
    await expect(carrick.deploy('echo.py::Echo', 'Not_A_Name')).rejects.toThrow(/name/i)
  })

  test('of two deploys at once one wins and the app serves it', async () => {
    const deploys = await Promise.allSettled([
      carrick.deploy('echo.py::Echo', 'echo'),
      carrick.deploy('echo.py::Echo', 'echo'),
    ])
    const won = deploys.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
    expect(won.length).toBeGreaterThan(0)
    expect(won).toContain(await serving())
  })
})

interface Listed {
  readonly runner_id: string
  readonly app: string
  readonly state: string
  readonly reason: string | null
  readonly exit_code: number | null
  readonly exit_signal: string | null
}

/** Each ends as the tables say, within its limits, with the reason on its runner and in what its caller is told. */
describe('an app that', () => {
  let carrick: Carrick
  beforeAll(async () => {
    carrick = await Carrick.start()
    await carrick.deploy('echo.py::Echo', 'echo')
    await carrick.deploy('bad.py::Bad', 'bad')
  })
  afterAll(() => carrick[Symbol.asyncDispose]())

  const post = (path: string, body: object = {}, headers: Record<string, string> = {}) =>
    carrick.ask(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    })

  async function called(path: string, body: object = {}, headers: Record<string, string> = {}) {
    const answer = await post(path, body, headers)
    const text = await answer.text().catch((error: unknown) => `it broke off: ${String(error)}`)
    return { status: answer.status, type: answer.headers.get('x-fal-error-type'), text }
  }

  const runners = async (app: string): Promise<readonly Listed[]> => {
    const answer = await carrick.ask('/v1/runners?since=2020-01-01T00:00:00Z')
    return ((await answer.json()) as { runners: Listed[] }).runners.filter((runner) => runner.app === app)
  }

  /** The runner that would be called now. */
  async function current(): Promise<string> {
    return (JSON.parse((await called('/tester/bad')).text) as { runner: string }).runner
  }

  async function endOf(id: string, app = 'bad'): Promise<Listed> {
    const found = async () =>
      (await runners(app)).find(({ runner_id, state }) => runner_id === id && state === 'TERMINATED')
    await until(async () => (await found()) !== undefined, `the end of runner ${id}`)
    return (await found())!
  }

  /** What it said, the newest first. */
  const said = async (id: string): Promise<string> => {
    const answer = await carrick.ask(`/logs/history?job_id=${id}&page_size=100`, { method: 'POST' })
    return ((await answer.json()) as { items: { message: string }[] }).items.map(({ message }) => message).join('\n')
  }

  test('never opens its port: no deploy of it goes through, and what waits for it is told why', async () => {
    await expect(carrick.deploy('bad.py::Mute', 'mute')).rejects.toThrow(/not ready within 2 s \(startup_timeout\)/)
    await carrick.deploy('bad.py::Mute', 'mute', '--strategy', 'recreate')
    const queued = await post('/queue/tester/mute', {})
    const { request_id: id } = (await queued.json()) as { request_id: string }
    await until(async () => {
      const direct = await called('/tester/mute', {}, { 'x-fal-request-timeout': '6' })
      expect([direct.status, direct.type]).toEqual([504, 'request_timeout'])
      return direct.text.includes('ended with startup_timeout') // a slow machine has not begun one in six seconds
    }, 'the word of a runner that was not ready')
    const ends = (await runners('mute')).filter(({ state }) => state === 'TERMINATED')
    expect(ends.map(({ reason }) => reason)).toContain('startup_timeout')
    const states = async () => (await runners('mute')).map(({ state }) => state)
    await until(async () => (await states()).includes('CRASH_BACKOFF'), 'the next start to wait')
    const status = await carrick.ask(`/queue/tester/mute/requests/${id}/status`)
    expect(((await status.json()) as { status: string }).status, 'it is no attempt').toBe('IN_QUEUE')
    await carrick.ask('/v1/serverless/apps/tester/mute', { method: 'DELETE' })
  })

  test('is never well by its own health check serves nobody, and the deploy says what was wrong', async () => {
    await expect(carrick.deploy('bad.py::Sick', 'sick')).rejects.toThrow(
      /startup_timeout[^]*health check POST \/well did not pass[^]*answered 500/,
    )
  })

  test('answers nothing: 504 request_timeout, and SIGKILL when it does not hear SIGTERM', async () => {
    const id = await current()
    expect(await called('/tester/bad/hang')).toMatchObject({ status: 504, type: 'request_timeout' })
    expect(await endOf(id)).toMatchObject({ reason: 'request_timeout', exit_signal: 'SIGKILL' })
  })

  test('answers too late: the same, but handle_exit and teardown have their chance', async () => {
    const id = await current()
    expect(await called('/tester/bad/late')).toMatchObject({ status: 504, type: 'request_timeout' })
    expect(await endOf(id)).toMatchObject({ reason: 'request_timeout' })
    expect(await said(id)).toMatch(/it is torn down[^]*it was told to exit/)
  })

  test('answers half a response: the answer breaks off, the queue says 502, and its runner is replaced', async () => {
    const id = await current()
    const direct = await called('/tester/bad/half')
    expect([direct.status, direct.text]).toEqual([200, expect.stringContaining('it broke off')])
    expect(await endOf(id)).toMatchObject({ reason: 'crash' })
    const queued = await post('/queue/tester/bad/half', {}, { 'x-fal-no-retry': '1' })
    const { request_id: request } = (await queued.json()) as { request_id: string }
    const at = `/queue/tester/bad/requests/${request}`
    await until(async () => (await carrick.ask(`${at}/status`)).status === 200, 'an outcome')
    expect((await carrick.ask(at)).headers.get('x-fal-error-type')).toBe('runner_incomplete_response')
  })

  test('dies of a signal: 503 runner_disconnected, and the signal stands on its runner', async () => {
    const id = await current()
    expect(await called('/tester/bad/die')).toMatchObject({ status: 503, type: 'runner_disconnected' })
    expect(await endOf(id)).toMatchObject({ reason: 'crash', exit_signal: 'SIGSEGV' })
  })

  test.each([
    ['says 503', { text: '503' }],
    ['wants its runner stopped', { text: '200', file: 'stop' }],
  ])('%s: its runner ends with app_requested, after handle_exit and teardown', async (_, wanted) => {
    const id = await current()
    expect((await called('/tester/bad/status', wanted)).status).toBe(Number(wanted.text))
    expect(await endOf(id)).toMatchObject({ reason: 'app_requested' })
    expect(await said(id)).toMatch(/it is torn down[^]*it was told to exit/)
  })

  test.each(['404', '429', '500', '502', '504'])('answers %s: its port is open, so its runner stays', async (text) => {
    const id = await current()
    expect((await called('/tester/bad/status', { text })).status).toBe(Number(text))
    expect(await current()).toBe(id)
  })

  test('answers 500 and listens no more: its runner is replaced', async () => {
    const id = await current()
    expect((await called('/tester/bad/shut', { text: '500' })).status).toBe(500)
    expect(await endOf(id)).toMatchObject({ reason: 'health_check' })
  })

  test('ignores SIGTERM: SIGKILL when its grace is over', async () => {
    const { runner } = JSON.parse((await called('/tester/bad/stubborn')).text) as { runner: string }
    expect((await carrick.fal('runners', 'stop', runner)).code).toBe(0)
    expect(await endOf(runner)).toMatchObject({ reason: 'stopped', exit_signal: 'SIGKILL' })
  })

  test('leaves children behind: they end with it, whatever they did to hide', async () => {
    const mark = `child-of-${carrick.pid}`
    const { runner } = JSON.parse((await called('/tester/bad/fork', { text: mark })).text) as { runner: string }
    await until(async () => (await processesWith(mark)) === 3, 'three children')
    expect((await carrick.fal('runners', 'kill', runner)).code).toBe(0)
    expect(await endOf(runner)).toMatchObject({ reason: 'killed', exit_signal: 'SIGKILL' })
    await until(async () => (await processesWith(mark)) === 0, 'the end of all children')
  })

  test('floods its log: it is kept waiting, what it said is there, and the others are served', async () => {
    const { runner } = JSON.parse((await called('/tester/bad/flood')).text) as { runner: string }
    for (let call = 0; call < 20; call += 1) expect((await called('/tester/echo')).status).toBe(200)
    expect((await called('/tester/bad')).status).toBe(200)
    expect(await said(runner)).toContain('the same again and again')
    expect((await carrick.fal('runners', 'stop', runner)).code).toBe(0)
    expect(await endOf(runner)).toMatchObject({ reason: 'stopped' })
  })

  test('and its neighbour has had one runner all the while', async () => {
    const all = await runners('echo')
    expect(all.filter(({ reason }) => reason !== null && !['keep_alive', 'deploy'].includes(reason))).toEqual([])
  })
})

/** How many processes of this machine have it among their arguments. */
async function processesWith(mark: string): Promise<number> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const commands = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
  return commands.filter((command) => command.includes(mark)).length
}
