import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { checkerOf } from '../../packages/server/src/testing/openapi.ts'
import { Carrick, root, until } from './carrick.ts'

/** The platform API, metrics and the record of changes, after real deploys and real calls on a real server. */
describe('after a deploy and some calls', () => {
  let carrick: Carrick
  let check: ReturnType<typeof checkerOf>
  let revision = ''
  const ids = { atOnce: '', later: '' }

  beforeAll(async () => {
    carrick = await Carrick.start()
    check = checkerOf(await (await carrick.ask('/v1/openapi.json', { key: null })).json())
    revision = await carrick.deploy(
      'billed.py::Billed',
      'billed',
      '--message',
      'the first',
      '--annotation',
      'commit=abc',
    )
    ids.atOnce = await submit('/at-once', { number: 21 })
    ids.later = await submit('/later', {})
    for (const id of Object.values(ids)) {
      await until(() => hasEnded(id), 'a request to end')
      const answer = await carrick.ask(`/queue/tester/billed/requests/${id}`)
      expect([answer.status, await answer.text()]).toEqual([200, expect.any(String)])
    }
    const direct = await carrick.ask('/tester/billed/at-once', { method: 'POST', body: '{"number": 1}', headers: json })
    expect([direct.status, direct.headers.get('x-fal-billable-units')]).toEqual([200, '3'])
  })
  afterAll(() => carrick[Symbol.asyncDispose]())

  const json = { 'content-type': 'application/json' }

  async function submit(path: string, body: object): Promise<string> {
    const sent = { method: 'POST', body: JSON.stringify(body), headers: json }
    const response = await carrick.ask(`/queue/tester/billed${path}`, sent)
    return ((await response.json()) as { request_id: string }).request_id
  }

  async function hasEnded(id: string): Promise<boolean> {
    const status = (await carrick.ask(`/queue/tester/billed/requests/${id}/status`)).json()
    return ((await status) as { status: string }).status === 'COMPLETED'
  }

  /** An answer, which must be what the OpenAPI document promises. */
  async function api(path: string, asked: { method?: string; send?: object; key?: string } = {}): Promise<unknown> {
    const { send, method = 'GET', ...rest } = asked
    const init = { ...rest, method, headers: json, ...(send && { body: JSON.stringify(send) }) }
    const response = await carrick.ask(path, init)
    const text = await response.text()
    const body: unknown = text === '' ? undefined : JSON.parse(text)
    expect(check({ method, path, status: response.status, body })).toBeUndefined()
    return body ?? response.status
  }

  const app = '/v1/serverless/apps/tester/billed'

  test('the app, its endpoints and its revision are shown', async () => {
    const apps = await api('/v1/serverless/apps?search=bill&expand=endpoints')
    expect(apps).toMatchObject({
      apps: [{ endpoint_id: 'tester/billed', machine_type: 'XS', keep_alive: 600, revision_id: revision }],
    })
    expect(JSON.stringify(apps)).toContain('tester/billed/at-once')
    expect(await api(`${app}/revisions`)).toMatchObject({
      revisions: [
        {
          revision_id: revision,
          is_current: true,
          message: 'the first',
          annotations: { commit: 'abc' },
          deployed_by: { nickname: 'tester' },
        },
      ],
    })
  })

  test('requests are read with what they sent and got, and what the SDK reported that they were worth', async () => {
    const by = '/v1/serverless/requests/by-endpoint?expand=payloads,billing&endpoint_id=tester/billed'
    const units = async (id: string) =>
      ((await api(`${by}&request_id=${id}`)) as { items: { billable_units: string | null }[] }).items[0]?.billable_units
    await until(async () => (await units(ids.later)) !== null, "the app's report")
    expect(await units(ids.later)).toBe('12.50000000')
    expect(await api(`${by}/at-once`)).toMatchObject({
      items: [
        {
          request_id: ids.atOnce,
          endpoint_id: 'tester/billed/at-once',
          status_code: 200,
          json_input: { number: 21 },
          json_output: { doubled: 42 },
          billable_units: '3',
        },
      ],
    })
    expect(
      await api('/v1/serverless/analytics?endpoint_id=tester/billed&expand=summary,request_count,success_count'),
    ).toMatchObject({
      summary: [{ metrics: { request_count: 2, success_count: 2 } }],
    })
  })

  test('runners are told of: their history, their events, and the seconds that they used', async () => {
    const { history } = (await api(`${app}/runners/history?timeframe=hour`)) as { history: { running: number }[] }
    expect(history.some(({ running }) => running > 0)).toBe(true)
    const { events } = (await api(`${app}/events`)) as { events: { category: string }[] }
    expect(events.map(({ category }) => category)).toEqual(
      expect.arrayContaining([
        'runner_pending',
        'runner_started',
        'deployment_rolling_started',
        'deployment_rolling_ended',
      ]),
    )
    const { usage } = (await api('/v1/serverless/usage')) as { usage: { quantity: number }[] }
    expect(usage).toMatchObject([{ app: 'billed', machine_type: 'XS', unit: 'second' }])
    expect(usage[0]?.quantity).toBeGreaterThan(0)
  })

  test('log lines are read by app and request', async () => {
    const lines = `/v1/serverless/logs/history?app_id=tester/billed&request_id=${ids.later}`
    await until(async () => JSON.stringify(await api(lines, { method: 'POST' })).includes('"reporting"'), 'the line')
    expect(await api(`${lines}&run_source=user&level=warning`, { method: 'POST' })).toMatchObject({ items: [] })
  })

  test('Prometheus reads the apps of an account, and the first account the whole server', async () => {
    const metrics = async (path: string) => (await carrick.ask(path)).text()
    const own = await metrics('/v1/serverless/metrics')
    expect(own).toContain('fal_app_queue_size{application="tester/billed"} 0')
    expect(own).toMatch(/fal_app_runners{application="tester\/billed",state="running",machine_type="XS"} [1-9]/)
    expect(own).toContain('fal_app_requests_received{application="tester/billed",method="POST"} 3')
    expect(own).toContain('fal_app_requests_completed{application="tester/billed",method="POST",status="200"} 3')
    const server = await metrics('/metrics')
    expect(server).toContain('carrick_requests_total{outcome="success"} 3')
    expect(server).toMatch(/carrick_store_commits_total [1-9]/)
    expect(server).toMatch(/nodejs_eventloop_lag_p99_seconds/)
    const other = JSON.parse((await carrick.carrick('accounts', 'create', 'other', '--json')).stdout) as {
      key_id: string
      key_secret: string
    }
    const key = `${other.key_id}:${other.key_secret}`
    expect((await carrick.ask('/metrics', { key })).status).toBe(403)
    expect(await (await carrick.ask('/v1/serverless/metrics', { key })).text()).not.toContain('tester')
  })

  test('scale, roll out, keys, environments and secrets can be changed over REST, and the stock command sees it', async () => {
    expect(await api(`${app}/scale`, { method: 'POST', send: { keep_alive: 777 } })).toMatchObject({ keep_alive: 777 })
    expect((await carrick.fal('apps', 'list')).stdout).toContain('777')
    expect(await api(`${app}/rollout`, { method: 'POST', send: { force: true } })).toBe(204)
    expect(await api('/v1/serverless/environments', { method: 'POST', send: { name: 'staging' } })).toMatchObject({
      name: 'staging',
    })
    const secret = { value: 'the-canary', environment: 'staging' }
    expect(await api('/v1/serverless/secrets/TOKEN', { method: 'PUT', send: secret })).toBe(204)
    expect((await carrick.fal('secrets', 'list', '--env', 'staging')).stdout).toContain('TOKEN')
    const { key, key_id } = (await api('/v1/keys', {
      method: 'POST',
      send: { alias: 'wall', preset: 'READONLY' },
    })) as {
      key: string
      key_id: string
    }
    expect(await api('/v1/serverless/usage', { key })).toMatchObject({ usage: [{ app: 'billed' }] })
    expect(await api('/v1/serverless/secrets', { key })).toMatchObject({ error: { type: 'authorization_error' } })
    expect(await api(`/v1/keys/${key_id}`, { method: 'DELETE' })).toBe(204)
    expect(await api(`${app}/queue`, { method: 'DELETE' })).toBe(204)
  })

  test('carrick events tells who did what, and goes on to tell it', async () => {
    const { stdout } = await carrick.carrick('events', '--limit', '100')
    expect(stdout).toMatch(/deploy +billed +done[^]*scale_app +billed +done[^]*set_secret +TOKEN +done/)
    expect(stdout).not.toContain('the-canary')
    const one = await carrick.carrick('events', '--json', '--action', 'deploy', '--subject', 'billed')
    expect(JSON.parse(one.stdout)).toMatchObject({ events: [{ detail: { revision } }] })

    const bin = join(root, 'packages', 'cli', 'bin', 'carrick.js')
    const env = { ...process.env, ...carrick.variables, CARRICK_DATA: carrick.folder }
    const args = [bin, 'events', '--follow', '--json', '--limit', '1']
    const following = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = once(following, 'exit')
    try {
      const told: string[] = []
      for await (const line of createInterface({ input: following.stdout })) {
        told.push((JSON.parse(line) as { subject: string }).subject)
        if (told.length === 1) await carrick.fal('environments', 'create', 'followed')
        if (told.includes('followed')) break
      }
      expect(told.slice(1)).toEqual(['followed'])
    } finally {
      following.kill()
      await ended
    }
  })

  test('an app that is deleted over REST is gone', async () => {
    expect(await api(app, { method: 'DELETE' })).toBe(204)
    expect(await api(`${app}/queue`)).toMatchObject({ error: { code: 'app_not_found' } })
  })
})
