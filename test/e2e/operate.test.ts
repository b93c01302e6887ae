import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, until } from './carrick.ts'

interface ListedRunner {
  readonly runner_id: string
  readonly state: string
}

/** An operator's everyday commands, with the stock `fal` 1.83.0 against a real server. */
describe('an operator with the stock fal command', () => {
  let carrick: Carrick
  beforeAll(async () => {
    carrick = await Carrick.start()
    await carrick.deploy('talker.py::Talker', 'talker')
  })
  afterAll(() => carrick[Symbol.asyncDispose]())

  const call = (body: object) =>
    carrick.ask('/tester/talker', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })

  const runners = async () =>
    (
      JSON.parse((await carrick.fal('apps', 'runners', 'talker', '--output', 'json')).stdout) as {
        runners: ListedRunner[]
      }
    ).runners

  async function runner(): Promise<string> {
    const [first] = await runners()
    if (first === undefined) throw new Error('no runner')
    return first.runner_id
  }

  describe('reads the logs of a runner:', () => {
    test('a traceback stands in the order in which it was written', async () => {
      await call({ text: 'before the failure', fail: 'a number that is too large' })
      const { code, stdout } = await carrick.fal('runners', 'logs', await runner())
      expect(code).toBe(0)
      expect(stdout).toMatch(/before the failure[^]*Traceback[^]*ValueError: a number that is too large/)
    })

    test('--search, --since and --until leave out the rest', async () => {
      await call({ text: 'the needle' })
      const lines = async (...flags: string[]) =>
        (await carrick.fal('runners', 'logs', await runner(), ...flags)).stdout
      expect(await lines('--search', 'NEEDLE')).toMatch(/the needle/)
      expect(await lines('--search', 'NEEDLE')).not.toContain('before the failure')
      expect(await lines('--since', '1h ago')).toContain('the needle')
      expect(await lines('--since', '2d ago', '--until', '1d ago')).not.toContain('the needle')
    })

    test('-n and --json, the page sizes of the client, and its tracebacks', async () => {
      const id = await runner()
      const json = async (...flags: string[]) =>
        (
          JSON.parse((await carrick.fal('runners', 'logs', id, '--json', ...flags)).stdout) as {
            logs: { message: string }[]
          }
        ).logs
      expect((await json('-n', '2')).length).toBe(2)
      expect((await json('-n', '+1')).length).toBe(1)
      const answer = await carrick.ask('/logs/?traceback=true')
      expect(await answer.json()).toContainEqual(
        expect.objectContaining({
          level: 'ERROR',
          message: expect.stringMatching(/^[^{][^]*too large[^]*\n[^]*Traceback/),
        }),
      )
    })

    test('--follow shows what was said lately and what comes, until the runner has ended', async () => {
      const id = await runner()
      await call({ text: 'said before' })
      const followed = carrick.fal('runners', 'logs', id, '--follow', '--search', 'said')
      await call({ text: 'said meanwhile' })
      await carrick.fal('runners', 'kill', id)
      const { code, stdout, stderr } = await followed
      expect(code, stderr).toBe(0)
      expect(stdout).toMatch(/said before[^]*said meanwhile/)
    })
  })

  describe('lists runners:', () => {
    const listed = async (...flags: string[]) => {
      const { code, stdout, stderr } = await carrick.fal('runners', 'list', '--json', ...flags)
      expect(code, stderr).toBe(0)
      return (JSON.parse(stdout) as { runners: ListedRunner[] }).runners
    }

    test('by state, with those that have ended when asked since when, and what is in flight', async () => {
      const permission = join(carrick.shared, 'may-end-too')
      await call({})
      const [idle] = await listed('--state', 'idle')
      expect(idle).toMatchObject({ alias: 'talker', machine_type: 'XS', in_flight_requests: 0, state: 'IDLE' })
      const running = call({ until: permission })
      await until(async () => (await listed('--state', 'running')).length === 1, 'the runner to work')
      expect(await listed('--state', 'idle')).toEqual([])
      const table = (await carrick.fal('runners', 'list')).stdout
      expect(table).toMatch(new RegExp(`${idle!.runner_id}.*\\n?[^]*Request ID[^]*${idle!.runner_id}`))
      await writeFile(permission, '')
      expect((await running).status).toBe(200)
      const ended = await listed('--since', '1h', '--state', 'terminated')
      expect(ended.length).toBeGreaterThan(0) // the one that the logs' test killed
      expect(await listed('--state', 'terminated')).toEqual([])
      expect((await listed('--since', '1h', '--state', 'all')).length).toBeGreaterThan(ended.length)
    })

    test('stop --replace puts a successor in the place of one, kill does not ask', async () => {
      const old = await runner()
      expect((await carrick.fal('runners', 'stop', old, '--replace')).code).toBe(0)
      await until(async () => {
        const idle = await listed('--state', 'idle')
        return idle.length === 1 && idle[0]?.runner_id !== old
      }, 'the successor alone')
      await call({}) // one that nobody ever called would go after ten seconds
      const next = await runner()
      expect((await carrick.fal('runners', 'kill', next)).code).toBe(0)
      await until(async () => (await listed()).every(({ runner_id }) => runner_id !== next), 'the runner to be gone')
      const gone = await carrick.fal('runners', 'stop', next)
      expect([gone.code, gone.stdout + gone.stderr]).toEqual([1, expect.stringContaining('not found')])
    })
  })

  describe('looks after a queue:', () => {
    const submit = async (body: object) => {
      const response = await carrick.ask('/queue/tester/talker', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
      return ((await response.json()) as { request_id: string }).request_id
    }

    test('flush cancels what waits and leaves what runs', async () => {
      const permission = join(carrick.shared, 'may-end')
      const running = await submit({ until: permission })
      await until(async () => (await carrick.status()).running === 1, 'the first request to run')
      const waiting = await Promise.all([submit({}), submit({})])
      const size = async (...flags: string[]) =>
        JSON.parse((await carrick.fal('queue', 'size', 'talker', '--output', 'json', ...flags)).stdout) as object
      expect(await size()).toEqual({ size: 2 })
      expect(await size('--by-user')).toEqual({ size: 2, by_user: { tester: 2 } })

      expect((await carrick.fal('queue', 'flush', 'talker', '--caller-user-id', 'nobody')).code).toBe(0)
      expect(await size()).toEqual({ size: 2 })
      const flushed = await carrick.fal('queue', 'flush', 'talker')
      expect(flushed.stdout).toContain('flushed')
      expect(await size()).toEqual({ size: 0 })
      for (const id of waiting) {
        const result = await carrick.ask(`/queue/tester/talker/requests/${id}`)
        expect([result.status, result.headers.get('x-fal-error-type')]).toEqual([499, 'client_cancelled'])
      }
      await writeFile(permission, '')
      const result = async () => (await carrick.ask(`/queue/tester/talker/requests/${running}`)).status
      await until(async () => (await result()) === 200, 'the running request to end well')
    })
  })

  describe('renews the runners of an app:', () => {
    const serving = async () =>
      (await runners()).filter(({ state }) => state === 'IDLE').map(({ runner_id }) => runner_id)

    test('rollout puts a successor in the place of each, and then lets it go', async () => {
      await call({})
      const [old] = await serving()
      expect((await carrick.fal('apps', 'rollout', 'talker')).code).toBe(0)
      await until(async () => {
        const now = await serving()
        return now.length === 1 && now[0] !== old
      }, 'the successor alone')
      expect((await call({})).status).toBe(200)
    })

    test('rollout --force ends all at once, and the app serves on', async () => {
      const [old] = await serving()
      expect((await carrick.fal('apps', 'rollout', 'talker', '--force')).code).toBe(0)
      await until(async () => !(await serving()).includes(old!), 'the old runner to be gone')
      expect((await call({})).status).toBe(200)
    })

    test('an app that is not there is named', async () => {
      const refused = await carrick.fal('apps', 'rollout', 'nobody')
      expect([refused.code, refused.stdout + refused.stderr]).toEqual([
        1,
        expect.stringContaining('"nobody" not found'),
      ])
    })
  })
})
