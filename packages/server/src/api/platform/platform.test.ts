import { DeploymentStrategy } from '@carrick/protocol/gen/controller_pb.js'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { formatKey } from '../../access/credentials.ts'
import { presets } from '../../domain/permissions.ts'
import { addRunner, saveRunner } from '../../store/runners.ts'
import { keepServedOpenapi } from '../../store/served-openapi.ts'
import { openTestControl, testRunner, type TestControl } from '../../testing/control.ts'
import { checkerOf } from '../../testing/openapi.ts'
import { endTestRequest, type Ended } from '../../testing/requests.ts'

let control: TestControl
let check: ReturnType<typeof checkerOf>

beforeEach(async () => {
  control = await openTestControl()
  check = checkerOf((await control.rest('/v1/openapi.json')).body)
  return () => control[Symbol.asyncDispose]()
})

type Asked = Parameters<TestControl['rest']>[1] & { readonly send?: object }

/** An answer, which must be what the OpenAPI document promises. */
async function ask(path: string, { send, ...asked }: Asked = {}) {
  const { status, body } = await control.rest(path, { ...asked, ...(send && { body: JSON.stringify(send) }) })
  expect(check({ method: asked.method ?? 'GET', path, status, body })).toBeUndefined()
  return { status, body: body as never }
}

interface Deployed {
  readonly metadata?: object
  readonly environment?: string
  readonly exposedPort?: number
}

async function deploy(
  name: string,
  { metadata = {}, environment = 'main', exposedPort }: Deployed = {},
): Promise<string> {
  const environments = [{ kind: 'virtualenv', configuration: { python_version: '3.11', requirements: ['fal'] } }]
  const callable = { case: 'function', value: { method: 'cloudpickle', definition: new Uint8Array([1]) } } as const
  const request = {
    applicationName: name,
    environmentName: environment,
    environments,
    callable,
    metadata: { ...metadata },
    deploymentStrategy: DeploymentStrategy.RECREATE,
    ...(exposedPort === undefined ? {} : { machineRequirements: { exposedPort } }),
  }
  let revision = ''
  for await (const { result } of control.client().registerApplication(request)) revision = result?.applicationId ?? ''
  return revision
}

function appNamed(name: string) {
  const app = control.apps.find('ann', name)?.app
  if (app === undefined) throw new Error(`there is no ${name}`)
  return app
}

const app = '/v1/serverless/apps/ann/hello'

describe('refusals', () => {
  test('have the shape of the platform API, an id, and a code of ours', async () => {
    expect(await ask(`${app}/queue`)).toMatchObject({
      status: 404,
      body: { error: { type: 'not_found', code: 'app_not_found', request_id: expect.any(String) } },
    })
    expect(await ask('/v1/serverless/apps', { key: null })).toMatchObject({
      status: 401,
      body: { error: { type: 'authorization_error' } },
    })
    expect(await ask('/v1/serverless/apps?limit=many')).toMatchObject({
      status: 400,
      body: { error: { type: 'validation_error', message: expect.stringContaining('limit') } },
    })
    expect((await control.rest('/v1/serverless/nowhere')).body).toMatchObject({ error: { code: 'route_not_found' } })
  })

  test('elsewhere have the shape that the stock command prints', async () => {
    expect(await ask('/v1/events', { key: null })).toMatchObject({
      status: 401,
      body: { error_type: 'unauthenticated' },
    })
  })
})

describe('apps', () => {
  test('are listed by name, searched, and read page by page', async () => {
    for (const name of ['hello', 'other', 'shell']) await deploy(name)
    const names = async (query: string) => {
      const { apps, next_cursor } = (await ask(`/v1/serverless/apps${query}`)).body as {
        apps: { name: string }[]
        next_cursor: string | null
      }
      return { names: apps.map(({ name }) => name), next_cursor }
    }
    expect((await names('')).names).toEqual(['hello', 'other', 'shell'])
    expect((await names('?search=HEL')).names).toEqual(['hello', 'shell'])
    expect((await names('?environment=staging')).names).toEqual([])
    const first = await names('?limit=2')
    expect(first.names).toEqual(['hello', 'other'])
    expect(await names(`?limit=2&cursor=${first.next_cursor}`)).toEqual({ names: ['shell'], next_cursor: null })
    expect((await ask('/v1/serverless/apps?cursor=nonsense')).status).toBe(400)
  })

  test('show their endpoints on request', async () => {
    await deploy('hello', { metadata: { openapi: { paths: { '/': {}, '/draw': {} } } } })
    expect((await ask('/v1/serverless/apps?expand=endpoints')).body).toMatchObject({
      apps: [{ endpoint_id: 'ann/hello', auth_mode: 'private', endpoints: ['ann/hello', 'ann/hello/draw'] }],
    })
  })

  test('show what the server of an app says of itself where its deploy said nothing; its metadata stays as sent', async () => {
    const revision = await deploy('hello', { exposedPort: 8080 })
    const document = '{"paths":{"/v1/models":{"get":{}},"/__proto__":{}}}'
    await control.store.commit(keepServedOpenapi(revision, document, control.clock.now()))
    expect((await ask('/v1/serverless/apps?expand=endpoints')).body).toMatchObject({
      apps: [{ endpoints: ['ann/hello/v1/models', 'ann/hello/__proto__'] }],
    })
    const page = await control.rest('/dashboard/data/ann/hello')
    expect(page.body).toMatchObject({ openapi: JSON.parse(document) as object })
    expect((await control.rest('/applications/ann/hello/metadata')).body).toEqual({})
  })

  test('a queue is shown and flushed; the same flush, sent again with its key, is not done twice', async () => {
    await deploy('hello')
    expect((await ask(`${app}/queue`)).body).toEqual({ queue_size: 0 })
    const flush = (key: string) => ask(`${app}/queue`, { method: 'DELETE', headers: { 'idempotency-key': key } })
    expect([await flush('one'), await flush('one'), await flush('two')].map(({ status }) => status)).toEqual([
      204, 204, 204,
    ])
    expect(control.script.asked).toHaveLength(2)
  })

  test('revisions name their message and who deployed them', async () => {
    const first = await deploy('hello', { metadata: { message: 'the first', annotations: { commit: 'abc' } } })
    const second = await deploy('hello')
    const page = (await ask(`${app}/revisions?limit=1`)).body as { next_cursor: string }
    expect(page).toMatchObject({
      revisions: [{ revision_id: second, is_current: true, message: null }],
      has_more: true,
    })
    const [keyId] = control.keys.ann.split(':')
    expect((await ask(`${app}/revisions?cursor=${page.next_cursor}`)).body).toMatchObject({
      revisions: [
        {
          revision_id: first,
          is_current: false,
          status: 'deployed',
          failure: null,
          message: 'the first',
          annotations: { commit: 'abc' },
          deployed_by: { nickname: 'ann', key_id: keyId },
        },
      ],
      has_more: false,
    })
  })

  test("are another account's to nobody", async () => {
    await deploy('hello')
    const key = control.keys.bob
    for (const path of ['queue', 'runners/history', 'events', 'revisions'])
      expect((await ask(`${app}/${path}`, { key })).status).toBe(404)
    expect((await ask(`${app}/scale`, { key, method: 'POST', send: { keep_alive: 1 } })).status).toBe(404)
    expect((await ask(app, { key, method: 'DELETE' })).status).toBe(404)
    expect((await ask('/v1/serverless/apps', { key })).body).toMatchObject({ apps: [] })
  })
})

describe('runners', () => {
  const hour = 3_600_000

  /** Lived for an hour and served for half of it. */
  async function livedRunner(id: string): Promise<number> {
    const { id: appId, accountId, revisionId = '' } = appNamed('hello')
    const start = Math.floor(control.clock.now() / hour) * hour - 2 * hour
    const identity = { id, appId, accountId, revisionId, machineType: 'S', createdAt: start }
    const setup = { ...identity, state: 'setup', startedAt: start, readyBy: start + hour } as const
    const address = { host: '127.0.0.1', port: 1 }
    const serving = { ...identity, state: 'serving', address, readyAt: start + hour / 2 } as const
    await control.store.commit(addRunner({ ...identity, state: 'pending', startAt: start }))
    await control.store.commit(saveRunner('pending', setup))
    await control.store.commit(saveRunner('setup', serving))
    await control.store.commit(
      saveRunner('serving', { ...identity, state: 'terminated', reason: 'crash', endedAt: start + hour }),
    )
    return start
  }

  test('have a history by time', async () => {
    await deploy('hello')
    const start = await livedRunner('runner-1')
    const asked = `start=${new Date(start).toISOString()}&end=${new Date(start + 2 * hour).toISOString()}&timeframe=hour`
    expect((await ask(`${app}/runners/history?${asked}&aggregation=avg`)).body).toMatchObject({
      complete: true,
      history: [
        { pending: 0.5, running: 0.5, draining: 0 },
        { pending: 0, running: 0, draining: 0 },
      ],
    })
  })

  test('and deployments and settings tell what happened, the last first', async () => {
    const revision = await deploy('hello')
    await ask(`${app}/scale`, { method: 'POST', send: { keep_alive: 77 } })
    const page = async (query: string) =>
      (await ask(`${app}/events?${query}`)).body as {
        events: { category: string; actor: object | null }[]
        next_cursor: string | null
      }
    const all = await page('')
    expect(all.events).toMatchObject([
      { category: 'config_changed', new_config: { keep_alive: 77 }, old_config: { keep_alive: 10 } },
      { category: 'deployment_recreate_applied', new_application_id: revision, actor: { nickname: 'ann' } },
      { category: 'deployment_started' },
    ])
    const first = await page('limit=1')
    expect((await page(`limit=1&cursor=${first.next_cursor}`)).events).toEqual(all.events.slice(1, 2))
    expect((await page('category=config_changed,runner_failed')).events).toEqual(all.events.slice(0, 1))
    expect((await ask(`${app}/events?category=lunch`)).status).toBe(400)
  })

  test('of a former app of that name, nothing is told', async () => {
    await deploy('hello')
    await ask(app, { method: 'DELETE' })
    await deploy('hello')
    const { events } = (await ask(`${app}/events`)).body as { events: object[] }
    expect(events).toMatchObject([{ category: 'deployment_recreate_applied' }, { category: 'deployment_started' }])
  })

  test('that ended are told with their reason', async () => {
    await deploy('hello')
    await livedRunner('runner-1')
    const { events } = (await ask(`${app}/events?category=runner_failed,runner_started`)).body as { events: object[] }
    expect(events).toMatchObject([
      { category: 'runner_failed', reason: 'crash', job_id: 'runner-1', actor: null },
      { category: 'runner_started', machine_type: 'S' },
    ])
  })

  test('are what usage counts, in seconds, at no price', async () => {
    await deploy('hello')
    await livedRunner('runner-1')
    await livedRunner('runner-2')
    const { usage } = (await ask('/v1/serverless/usage')).body as { usage: object[] }
    expect(usage).toMatchObject([
      { app: 'hello', environment: 'main', machine_type: 'S', unit: 'second', quantity: 7_200, cost_total: 0 },
    ])
    expect((await ask('/v1/serverless/usage?app=ann/other')).body).toMatchObject({ usage: [] })
    expect((await ask('/v1/serverless/usage', { key: control.keys.bob })).body).toMatchObject({ usage: [] })
  })
})

describe('requests that have ended', () => {
  let now = 0
  const end = (id: string, more: Partial<Ended> = {}) =>
    endTestRequest(control.store, id, {
      appId: appNamed('hello').id,
      acceptedAt: now - 3_000,
      startedAt: now - 2_000,
      finishedAt: now - 1_000,
      ...more,
    })

  beforeEach(async () => {
    await deploy('hello')
    now = control.clock.now()
  })

  type Item = { readonly request_id: string }
  async function listed(query: string) {
    const answer = await ask(`/v1/serverless/requests/by-endpoint?${query}`)
    const { items, next_cursor } = answer.body as { items: Item[]; next_cursor: string | null }
    return { ids: items.map(({ request_id }) => request_id), items, next_cursor }
  }

  test('are listed by endpoint, by status, and page by page', async () => {
    await end('a', { path: '/draw?x=1', finishedAt: now - 30 })
    await end('b', { path: '/draw/fast', status: 422, finishedAt: now - 20 })
    await end('c', { path: '/', status: 500, finishedAt: now - 10 })
    await end('d', { path: '/drawing', finishedAt: now - 5 })
    expect((await listed('endpoint_id=ann/hello')).ids).toEqual(['d', 'c', 'b', 'a'])
    expect((await listed('endpoint_id=ann/hello/draw')).ids).toEqual(['b', 'a'])
    expect((await listed('endpoint_id=ann/hello&status=error')).ids).toEqual(['c'])
    expect((await listed('endpoint_id=ann/hello&status=user_error')).ids).toEqual(['b'])
    expect((await listed('endpoint_id=ann/hello&request_id=b')).ids).toEqual(['b'])
    expect((await listed('endpoint_id=ann/hello&sort_by=duration&limit=1')).ids).toEqual(['d'])
    const first = await listed('endpoint_id=ann/hello&limit=3')
    expect(first.ids).toEqual(['d', 'c', 'b'])
    expect((await listed(`endpoint_id=ann/hello&limit=3&cursor=${first.next_cursor}`)).ids).toEqual(['a'])
    expect(first.items[0]).toMatchObject({ endpoint_id: 'ann/hello/drawing', duration: 1.995, status_code: 200 })
  })

  test('show what they sent and got, and what they were worth, to those who ask for it', async () => {
    await end('a', { input: '{"x":1}', output: '[2]', headers: [['x-fal-billable-units', '3']] })
    await end('b', { input: 'no JSON', finishedAt: now - 10 })
    expect((await listed('endpoint_id=ann/hello')).items[1]).not.toHaveProperty('json_input')
    expect((await listed('endpoint_id=ann/hello&expand=payloads,billing')).items).toMatchObject([
      { json_input: null, json_output: {}, billable_units: null },
      { json_input: { x: 1 }, json_output: [2], billable_units: '3' },
    ])
  })

  test('can be read with a READONLY key, and by nobody else', async () => {
    await end('a')
    const key = formatKey(await control.keyring.mint('account-ann', presets.READONLY, 'wall'))
    const path = '/v1/serverless/requests/by-endpoint?endpoint_id=ann/hello'
    expect((await ask(path, { key })).status).toBe(200)
    expect((await ask(path, { key: control.keys.bob })).status).toBe(404)
    const deployKey = formatKey(await control.keyring.mint('account-ann', presets.DEPLOY, 'ci'))
    expect((await ask(path, { key: deployKey })).status).toBe(403)
  })

  test('are counted, in all and by time', async () => {
    await end('a', { path: '/draw' })
    await end('b', { status: 504, error: { code: 'request_timeout', message: 'too long' } })
    const asked = 'endpoint_id=ann/hello&endpoint_id=ann/hello/draw&timeframe=month'
    expect(
      (await ask(`/v1/serverless/analytics?${asked}&expand=summary,request_count,timeout_error_count`)).body,
    ).toEqual({
      timeframe: 'month',
      complete: true,
      summary: [
        { endpoint_id: 'ann/hello', metrics: { request_count: 2, timeout_error_count: 1 } },
        { endpoint_id: 'ann/hello/draw', metrics: { request_count: 1, timeout_error_count: 0 } },
      ],
    })
    const series = (await ask(`/v1/serverless/analytics?${asked}`)).body as { time_series: { results: object[] }[] }
    expect(series.time_series.at(-1)?.results[0]).toMatchObject({ metrics: { request_count: 2, p50_duration: 1 } })
    expect((await ask('/v1/serverless/analytics')).status).toBe(400)
    expect((await ask('/v1/serverless/analytics?endpoint_id=ann/hello&expand=lunch')).status).toBe(400)
    expect((await ask('/v1/serverless/analytics?endpoint_id=ann/hello&timezone=Mars')).body).toMatchObject({
      error: { message: expect.stringContaining('UTC') },
    })
  })

  test('a window that is too long, or ends before it begins, is refused', async () => {
    const path = '/v1/serverless/requests/by-endpoint?endpoint_id=ann/hello'
    expect((await ask(`${path}&start=2020-01-01T00:00:00Z`)).status).toBe(400)
    expect((await ask(`${path}&start=2026-01-02T00:00:00Z&end=2026-01-01T00:00:00Z`)).status).toBe(400)
  })
})

describe('log lines', () => {
  beforeEach(async () => {
    await deploy('hello')
    await deploy('other')
    const line = (message: string, name: string, at: number) =>
      control.logs.append({
        at,
        message,
        source: 'user',
        level: 'info',
        accountId: 'account-ann',
        appId: appNamed(name).id,
        runnerId: `runner-of-${name}`,
      })
    const now = control.clock.now()
    line('one', 'hello', now - 3)
    line('two', 'other', now - 2)
    line('three', 'hello', now - 1)
  })

  const history = async (query: string, asked: Asked = {}) => {
    const answer = await ask(`/v1/serverless/logs/history?${query}`, { method: 'POST', ...asked })
    const { items, next_cursor } = answer.body as { items: { message: string }[]; next_cursor: string | null }
    return { messages: items?.map(({ message }) => message), next_cursor }
  }

  test('are read by app, by search, and page by page', async () => {
    expect((await history('')).messages).toEqual(['three', 'two', 'one'])
    expect((await history('app_id=ann/hello')).messages).toEqual(['three', 'one'])
    expect((await history('search=TW')).messages).toEqual(['two'])
    expect((await history('job_id=runner-of-other', { send: {} })).messages).toEqual(['two'])
    const first = await history('limit=2')
    expect(first.messages).toEqual(['three', 'two'])
    expect((await history(`limit=2&cursor=${first.next_cursor}`)).messages).toEqual(['one'])
    expect((await history('', { key: control.keys.bob })).messages).toEqual([])
  })

  describe('of several kinds', () => {
    beforeEach(() => {
      const line = { accountId: 'account-ann', appId: appNamed('hello').id, at: control.clock.now() }
      control.logs.append({ ...line, message: 'ready', source: 'bridge', level: 'warning', revisionId: 'revision-9' })
      const message = 'Traceback (most recent call last):'
      control.logs.append({ ...line, message, source: 'user', level: 'stderr', requestId: 'request-9' })
    })

    test.each([
      ['revision=revision-9', ['ready']],
      ['run_source=bridge', ['ready']],
      ['level=WARNING', ['ready']],
      ['level=warning,info', ['ready', 'three', 'two', 'one']],
      ['traceback=true', ['Traceback (most recent call last):']],
      ['traceback=false&level=warning', ['ready']],
      ['request_id=request-9', ['Traceback (most recent call last):']],
      ['request_id=request-9&level=info', []],
    ])('are found by %s', async (query, messages) => {
      expect((await history(query)).messages).toEqual(messages)
    })

    test('are found by labels, and by the id that they are labelled with', async () => {
      const labelled = (...labels: object[]) => history('', { send: { labels } })
      expect((await labelled({ key: 'source', value: 'bridge' })).messages).toEqual(['ready'])
      const levels = { key: 'level', value: ['warning', 'stdout'], condition_type: 'in' }
      expect((await labelled({ key: 'app_id', value: appNamed('hello').id }, levels)).messages).toEqual(['ready'])
    })
  })

  test('a page whose search stopped early goes on from where it stopped', async () => {
    const page = vi.spyOn(control.logs, 'page').mockResolvedValueOnce({ lines: [], nextUntil: control.clock.now() - 1 })
    const first = await history('search=o')
    page.mockRestore()
    expect(first.messages).toEqual([])
    expect((await history(`search=o&cursor=${first.next_cursor}`)).messages).toEqual(['two', 'one'])
  })

  test('a filter that cannot be fulfilled is refused, not overlooked', async () => {
    const refused = (query: string, ...labels: object[]) =>
      ask(`/v1/serverless/logs/history?${query}`, { method: 'POST', send: { labels } })
    expect(await refused('run_source=cron')).toMatchObject({
      status: 400,
      body: { error: { message: expect.stringContaining('builder, bridge, user') } },
    })
    expect((await refused('level=loud')).status).toBe(400)
    expect((await refused('app_id=ann/hello/draw')).status).toBe(501)
    expect((await refused('app_id=ann/hello', { key: 'app_id', value: 'ann/other' })).status).toBe(400)
    const unserved = [
      { key: 'endpoint', value: 'x' },
      { key: 'level', value: 'info', condition_type: 'not_equals' },
      { key: 'job_id', value: ['a', 'b'], condition_type: 'in' },
    ]
    for (const label of unserved)
      expect(await refused('', label)).toMatchObject({
        status: 501,
        body: { error: { type: 'not_implemented', message: expect.stringContaining(label.key) } },
      })
  })

  test('are streamed, and the stream ends when it was told to', async () => {
    const now = control.clock.now()
    const times = `start=${new Date(now - 60_000).toISOString()}&end=${new Date(now + 300).toISOString()}`
    const { body } = await control.rest(`/v1/serverless/logs/stream?app_id=ann/hello&${times}`, { method: 'POST' })
    expect(String(body).match(/"message":"\w+"/g)).toEqual(['"message":"one"', '"message":"three"'])
  })
})

describe('changes', () => {
  const post = (path: string, send: object) => ask(path, { method: 'POST', send })

  test('scale, roll out, switch and delete an app', async () => {
    const first = await deploy('hello')
    const second = await deploy('hello')
    control.script.runners = [testRunner({ appId: appNamed('hello').id, revisionId: second })]
    expect((await post(`${app}/scale`, { max_concurrency: 5 })).body).toMatchObject({
      max_concurrency: 5,
      keep_alive: 10,
    })
    expect((await post(`${app}/scale`, { max_concurency: 5 })).status).toBe(400)
    expect((await post(`${app}/scale`, { max_concurrency: 0 })).status).toBe(422)
    expect((await ask(`${app}/rollout`, { method: 'POST' })).status).toBe(204)
    expect((await post(`${app}/rollout`, { force: true })).status).toBe(204)
    expect(control.script.asked).toEqual(['stop runner-1 replaced', 'kill runner-1'])
    expect((await post(`${app}/revision`, { revision_id: first, strategy: 'recreate' })).body).toMatchObject({
      revision_id: first,
    })
    expect((await ask(app, { method: 'DELETE' })).status).toBe(204)
    expect((await ask(app, { method: 'DELETE' })).status).toBe(404)
  })

  test('make environments and secrets, whose values nobody reads', async () => {
    const made = await post('/v1/serverless/environments', { name: 'staging', description: 'before' })
    expect(made).toMatchObject({ status: 201, body: { name: 'staging', is_default: false } })
    const put = (send: object) => ask('/v1/serverless/secrets/TOKEN', { method: 'PUT', send })
    expect((await put({ value: 'the-canary', environment: 'staging' })).status).toBe(204)
    const secrets = await ask('/v1/serverless/secrets?environment=staging')
    expect(secrets.body).toMatchObject({ secrets: [{ name: 'TOKEN', default_exposed: true }] })
    expect(JSON.stringify(secrets)).not.toContain('the-canary')
    const unset = '/v1/serverless/secrets/TOKEN?environment=staging'
    expect((await ask(unset, { method: 'DELETE' })).status).toBe(204)
    expect((await ask(unset, { method: 'DELETE' })).status).toBe(404)
    expect((await ask('/v1/serverless/environments/staging', { method: 'DELETE' })).status).toBe(204)
    expect((await ask('/v1/serverless/environments')).body).toMatchObject({ environments: [{ name: 'main' }] })
  })

  test('make keys: API keys unless more was asked for; made again with its key, it is the same', async () => {
    const make = () =>
      ask('/v1/keys', { method: 'POST', send: { alias: 'ci' }, headers: { 'idempotency-key': 'make-ci' } })
    const made = await make()
    expect(made.status).toBe(201)
    expect(await make()).toEqual(made)
    const { key_id, key } = made.body as { key_id: string; key: string }
    const listed = (await ask('/v1/keys')).body as { keys: { key_id: string; permissions: string[] }[] }
    expect(listed.keys.find((each) => each.key_id === key_id)?.permissions).toEqual([...presets.API])
    expect(listed.keys.filter((each) => each.key_id === key_id)).toHaveLength(1)
    const revoke = () => ask(`/v1/keys/${key_id}`, { method: 'DELETE' })
    expect([(await revoke()).status, (await revoke()).status]).toEqual([204, 204])
    expect((await ask('/v1/serverless/apps', { key })).status).toBe(401)
    expect((await ask('/v1/keys', { method: 'POST', send: { alias: '' } })).status).toBe(400)
  })

  test('keys are read page by page', async () => {
    const page = async (query: string) =>
      (await ask(`/v1/keys?limit=2${query}`)).body as {
        keys: { alias: string }[]
        next_cursor: string
        has_more: boolean
      }
    const first = await page('')
    expect([first.keys.map(({ alias }) => alias), first.has_more]).toEqual([['ann', 'api'], false])
    await control.keyring.mint('account-ann', presets.API, 'third')
    const again = await page('')
    expect((await page(`&cursor=${again.next_cursor}`)).keys.map(({ alias }) => alias)).toEqual(['third'])
  })
})

test('what the server is, everybody may know', async () => {
  expect((await ask('/v1/meta', { key: null })).body).toEqual({ version: '0.0.0', webhook_ip_ranges: [] })
  expect((await ask('/v1/status')).status).toBe(200)
  expect((await ask('/v1/accounts')).status).toBe(200)
})

describe('as clients of 2025 ask', () => {
  test('events and scale settings answer too', async () => {
    await deploy('hello')
    const scaled = await control.rest('/applications/scale/hello', { method: 'PUT', body: '{"keep_alive": 5}' })
    expect(scaled).toMatchObject({ status: 200, body: { keep_alive: 5 } })
    const { body } = await control.rest('/applications/ann/hello/events?categories=config_changed&size=10')
    expect(body).toMatchObject({ events: [{ category: 'config_changed' }] })
  })
})
