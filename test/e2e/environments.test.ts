import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, until } from './carrick.ts'

interface Answer {
  readonly runner: string
  readonly greeting: string
}

interface Row {
  readonly app: string
  readonly environment: string
  readonly revision: string | null
  readonly caller: string
  readonly key: string | null
  readonly runner_seconds: number
  readonly requests: number
  readonly billable_units: number
}

interface Report {
  readonly rows: readonly Row[]
  readonly total: Row
}

const json = { 'content-type': 'application/json' }

/** One app in two environments, who may call it, and what is said of its use, with the stock fal 1.83.0 and `carrick`. */
describe('the same app in two environments', () => {
  let carrick: Carrick
  let bob = ''
  beforeAll(async () => {
    carrick = await Carrick.start()
    bob = await account('bob')
    await fal('environments', 'create', 'staging')
    await fal('secrets', 'set', 'GREETING=hello from main')
    await fal('secrets', 'set', 'GREETING=hello from staging', '--env', 'staging')
    await carrick.deploy('metered.py::Metered', 'metered')
    await carrick.deploy('metered.py::Metered', 'metered', '--env', 'staging')
  })
  afterAll(() => carrick[Symbol.asyncDispose]())

  async function account(name: string): Promise<string> {
    const made = await carrick.carrick('accounts', 'create', name, '--json')
    const { key_id, key_secret } = JSON.parse(made.stdout) as Record<string, string>
    return `${key_id}:${key_secret}`
  }

  async function fal(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await carrick.fal(...args)
    expect(code, `fal ${args.join(' ')}: ${stdout}${stderr}`).toBe(0)
    return stdout
  }

  const post = (path: string, body: object = {}, key?: string | null) =>
    carrick.ask(path, { method: 'POST', headers: json, body: JSON.stringify(body), ...(key !== undefined && { key }) })
  const call = async (app: string, body: object = {}, key?: string | null) => {
    const answer = await post(`/tester/${app}`, body, key)
    expect(answer.status, app).toBe(200)
    return (await answer.json()) as Answer
  }
  const runners = async (env: string) => {
    const listed = await fal('apps', 'runners', 'metered', '--env', env, '--output', 'json')
    const all = (JSON.parse(listed) as { runners: { runner_id: string; state: string }[] }).runners
    return all.filter(({ state }) => state === 'IDLE' || state === 'RUNNING').map(({ runner_id }) => runner_id)
  }
  const live = async (environment: string) => {
    const listed = await carrick.ask(`/v1/serverless/apps?environment=${environment}`)
    return ((await listed.json()) as { apps: Record<string, unknown>[] }).apps[0]
  }
  const running = async () => ((await (await carrick.ask('/v1/status')).json()) as { running: number }).running
  const usage = async (...args: string[]) => {
    const { code, stdout, stderr } = await carrick.carrick('usage', '--output', 'json', ...args)
    expect(code, stderr).toBe(0)
    return JSON.parse(stdout) as Report
  }

  describe('is two apps:', () => {
    test('each has its address, its runners and its secrets', async () => {
      const [main, staging] = [await call('metered'), await call('metered--staging')]
      expect([main.greeting, staging.greeting]).toEqual(['hello from main', 'hello from staging'])
      expect(await runners('main')).toEqual([main.runner])
      expect(await runners('staging')).toEqual([staging.runner])
    })

    test('to scale one leaves the other as it is', async () => {
      const before = await live('main')
      await fal('apps', 'scale', 'metered', '--env', 'staging', '--max-concurrency', '1', '--keep-alive', '321')
      expect(await live('staging')).toMatchObject({ max_concurrency: 1, keep_alive: 321 })
      expect(await live('main')).toEqual(before)
    })

    test('the cap of one holds for its own runners alone', async () => {
      const permission = join(carrick.shared, 'may-end')
      const held = ['metered', 'metered', 'metered--staging', 'metered--staging'].map((app) =>
        call(app, { until: permission }),
      )
      await until(async () => (await running()) === 3, 'two calls in main and one in staging to run')
      await writeFile(permission, '')
      const used = (await Promise.all(held)).map(({ runner }) => runner)
      expect([new Set(used.slice(0, 2)).size, new Set(used.slice(2)).size]).toEqual([2, 1])
    })

    test('to roll one renews its own runners alone', async () => {
      const [main, { runner }] = [await runners('main'), await call('metered--staging')]
      await fal('apps', 'rollout', 'metered', '--env', 'staging')
      await until(async () => (await call('metered--staging')).runner !== runner, 'the successor in staging')
      expect((await runners('main')).toSorted()).toEqual(main.toSorted())
    })

    test('a deploy to one makes a revision of it alone', async () => {
      const before = await live('main')
      const revision = await carrick.deploy('metered.py::Metered', 'metered', '--env', 'staging')
      expect(await live('staging')).toMatchObject({ revision_id: revision })
      expect(await live('main')).toEqual(before)
    })

    test('an environment that is not there is refused by name', async () => {
      const refused = await carrick.fal('deploy', 'test/e2e/apps/metered.py::Metered', '--env', 'nowhere')
      expect([refused.code, refused.stdout + refused.stderr]).toEqual([1, expect.stringContaining('"nowhere"')])
    })
  })

  describe('who may call it', () => {
    const statuses = async () => {
      const keys = [undefined, bob, null]
      const direct = await Promise.all(keys.map(async (key) => (await post('/tester/metered', {}, key)).status))
      const queued = await Promise.all(keys.map(async (key) => (await post('/queue/tester/metered', {}, key)).status))
      expect(queued).toEqual(direct)
      return direct
    }
    const revision = async () => String((await live('main'))?.['revision_id'])

    test('is set by set-rev, at once, and by a deploy, which is private unless it says otherwise', async () => {
      expect(await statuses()).toEqual([200, 404, 401])
      await fal('apps', 'set-rev', 'metered', await revision(), '--auth', 'public', '--strategy', 'recreate')
      expect(await statuses()).toEqual([200, 200, 200])
      await fal('apps', 'set-rev', 'metered', await revision(), '--auth', 'shared', '--strategy', 'recreate')
      expect(await statuses()).toEqual([200, 200, 401])
      expect((await live('staging'))?.['auth_mode']).toBe('private')
      await carrick.deploy('metered.py::Metered', 'metered', '--strategy', 'recreate')
      expect(await statuses()).toEqual([200, 404, 401])
      await carrick.deploy('metered.py::Metered', 'metered', '--auth', 'shared', '--strategy', 'recreate')
      expect(await statuses()).toEqual([200, 200, 401])
    })

    test("the result of a shared request is its sender's and its owner's to read", async () => {
      const submitted = await post('/queue/tester/metered', {}, bob)
      const { request_id } = (await submitted.json()) as { request_id: string }
      const result = async (key?: string | null) =>
        (await carrick.ask(`/queue/tester/metered/requests/${request_id}`, key === undefined ? {} : { key })).status
      await until(async () => (await result(bob)) === 200, 'the result')
      expect([await result(), await result(null)]).toEqual([200, 401])
      expect(await result(await account('carol'))).toBe(404)
    })
  })

  describe('what it used', () => {
    test('is told by app, environment, revision and caller, and adds up', async () => {
      const before = await usage('--by', 'environment')
      const requests = (env: string, { rows }: Report) =>
        rows.find(({ environment }) => environment === env)?.requests ?? 0
      await Promise.all([
        call('metered', { seconds: 1 }),
        call('metered', { seconds: 1 }, bob),
        call('metered--staging'),
      ])
      const { request_id } = (await (await post('/queue/tester/metered--staging')).json()) as { request_id: string }
      await until(
        async () => (await carrick.ask(`/queue/tester/metered--staging/requests/${request_id}`)).status === 200,
        'the request of the queue',
      )
      const after = await usage('--by', 'environment')
      expect(['main', 'staging'].map((env) => requests(env, after) - requests(env, before))).toEqual([2, 2])
      const byAll = await usage('--by', 'app,environment,revision,machine-type,caller,key,hour')
      const sum = (pick: (row: Row) => number) => byAll.rows.reduce((total, row) => total + pick(row), 0)
      expect(sum((row) => row.requests)).toBe(byAll.total.requests)
      expect(sum((row) => row.runner_seconds)).toBeCloseTo(byAll.total.runner_seconds, 3)
      expect(byAll.total.billable_units).toBe(byAll.total.requests / 2)
      expect(byAll.rows.every(({ revision }) => revision !== null)).toBe(true)
    })

    test("is the other account's as far as it called a shared app", async () => {
      const [keyId] = bob.split(':')
      const stranger = (await usage('--by', 'caller')).rows.find(({ caller }) => caller.length === 64)
      expect(stranger?.runner_seconds).toBeGreaterThan(0.9)
      const asked = await carrick.ask('/v1/serverless/usage/report?by=app,caller,key&view=paid', { key: bob })
      const { rows } = (await asked.json()) as Report
      expect(rows).toMatchObject([{ app: 'tester/metered', caller: 'bob', key: keyId }])
      expect(rows[0]?.runner_seconds).toBe(stranger?.runner_seconds)
      expect((await usage('--by', 'app', '--paid')).total.runner_seconds).toBeGreaterThan(0)
    })

    test('is a table, and CSV', async () => {
      const table = await carrick.carrick('usage', '--by', 'environment', '--since', '1d')
      expect(table.stdout).toMatch(/^ENVIRONMENT +RUNNER SECONDS +GPU SECONDS +REQUESTS +BILLABLE UNITS\n/)
      expect(table.stdout).toMatch(/\nstaging +\d/)
      const { stdout } = await carrick.carrick('usage', '--by', 'environment,machine-type', '--csv')
      expect(stdout.split('\r\n')[0]).toBe(
        'environment,machine_type,runner_seconds,gpu_seconds,requests,billable_units',
      )
      expect(stdout).toMatch(/\r\nstaging,XS,[\d.]+,0,\d+,[\d.]+\r\n/)
      const refused = await carrick.carrick('usage', '--by', 'shoe-size')
      expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('machine-type')])
    })

    test("is there after a stop and after kill -9, and the time in between is nobody's", async () => {
      const before = await usage('--by', 'app')
      await carrick.down()
      await carrick.up()
      const stopped = await usage('--by', 'app')
      expect(stopped.total.requests).toBe(before.total.requests)
      await call('metered--staging')
      await post('/queue/tester/metered--staging')
      await until(async () => (await usage('--by', 'app')).total.requests === before.total.requests + 2, 'both calls')
      const known = (await usage('--by', 'app')).total.runner_seconds
      await carrick.down('SIGKILL')
      const wasDown = performance.now()
      await new Promise((wake) => setTimeout(wake, 3_000)) // what must not be counted
      await carrick.up()
      const after = await usage('--by', 'app')
      expect(after.total.requests).toBe(before.total.requests + 2)
      const grew = after.total.runner_seconds - known
      expect(grew).toBeGreaterThan(-1)
      expect(grew).toBeLessThan((performance.now() - wasDown) / 1_000 - 2)
      const platform = await carrick.ask('/v1/serverless/usage')
      const rows = ((await platform.json()) as { usage: { quantity: number }[] }).usage
      expect(rows.reduce((sum, { quantity }) => sum + quantity, 0)).toBeCloseTo(after.total.runner_seconds, 1)
    })
  })

  test('goes with its environment, and the other stays', async () => {
    await fal('environments', 'delete', 'staging', '--yes')
    expect((await post('/tester/metered--staging')).status).toBe(404)
    expect(await call('metered')).toMatchObject({ greeting: 'hello from main' })
    expect((await usage('--by', 'environment')).rows.some(({ environment }) => environment === 'staging')).toBe(true)
  })
})
