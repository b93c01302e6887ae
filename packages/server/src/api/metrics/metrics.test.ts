import { readFile } from 'node:fs/promises'
import { beforeEach, expect, test, vi } from 'vitest'
import { rejections } from '../../kit/rejections.ts'
import { openTestControl, testRunner, type TestControl } from '../../testing/control.ts'
import { registerTestRevision } from '../../testing/scheduler.ts'
import { addTestAccount } from '../../testing/store.ts'
import { accountExposition, accountMetrics } from './account.ts'
import { serverMetrics } from './server.ts'
import { usageOf } from './usage.ts'

let control: TestControl
let key = ''
let now = 1_800_000_000_000

beforeEach(async () => {
  control = await openTestControl({ clock: { now: () => now } })
  await addTestAccount(control.store, { id: 'account-1', nickname: 'eve' })
  await registerTestRevision(control.store, { revision: 'revision-1' }, now)
  await control.apps.refresh()
  const { keyId, secret } = await control.keyring.mint('account-1', ['metrics:read'], 'eve')
  key = `${keyId}:${secret}`
  return () => control[Symbol.asyncDispose]()
})

const lines = async (path: string, asked: { key: string }) =>
  String((await control.rest(path, asked)).body)
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))

test("an account's metrics are about its own apps, by the names that the field has for them", async () => {
  const { traffic } = control.deps.homes.of('hello')
  traffic.received('POST')
  traffic.completed('POST', 200, control.clock.now() - 2_000)
  const own = await lines('/v1/serverless/metrics', { key })
  expect(own).toContain('fal_app_queue_size{application="eve/hello"} 0')
  expect(own).toContain('fal_app_concurrent_requests{application="eve/hello"} 0')
  expect(own).toContain('fal_app_requests_received{application="eve/hello",method="POST"} 1')
  expect(own).toContain('fal_app_requests_completed{application="eve/hello",method="POST",status="200"} 1')
  expect(own).toContain('fal_app_request_latency{application="eve/hello",le="1"} 0')
  expect(own).toContain('fal_app_request_latency{application="eve/hello",le="+Inf"} 1')
  expect(await lines('/v1/serverless/metrics', { key: control.keys.bob })).toEqual([])
})

test('runners count by what they do', async () => {
  const placement = { machineId: 'box', machineType: 'GPU-H100', cpus: 12, memoryBytes: 2 ** 30 }
  const of = (id: string, state: 'idle' | 'running' | 'setup' | 'terminated') =>
    testRunner({ id, state, appId: 'hello', machineType: 'GPU-H100', placement: { ...placement, gpus: [Number(id)] } })
  control.script.runners = [of('1', 'idle'), of('2', 'running'), of('3', 'setup'), of('4', 'terminated')]
  const app = control.apps.byId('hello')!.app
  const { traffic } = control.deps.homes.of('hello')
  const text = await accountExposition([
    { app, queued: 0, running: 0, traffic: traffic.counts(), runners: control.script.runners, usage: {} },
  ])
  const labels = 'application="eve/hello",state="running",machine_type="GPU-H100"'
  expect(text).toContain(`fal_app_runners{${labels}} 2`)
  expect(text).toContain(`fal_app_runners{${labels.replace('running', 'dead')}} 1`)
  expect(text).toContain('fal_app_runner_gpu_count{application="eve/hello"} 3')
  const server = await lines('/metrics', { key: control.keys.ann })
  expect(server).toContain('carrick_runners{state="setup"} 1')
  expect(server).toContain('carrick_runners{state="idle"} 1')
})

test("what an app's runners use is summed, of the processor from the second answer on", async () => {
  control.script.runners = ['1', '2'].map((id) => testRunner({ id, appId: 'hello' }))
  vi.spyOn(control.deps.runners, 'listing').mockImplementation(async () => control.script.runners)
  const used = async () =>
    (await lines('/v1/serverless/metrics', { key })).filter((line) => line.startsWith('fal_app_runner_'))
  const memory = 'fal_app_runner_memory_usage_bytes{application="eve/hello"} 2097152'
  expect(await used()).toEqual([memory])
  now += 10_000
  expect(await used()).toEqual(['fal_app_runner_cpu_usage_percent{application="eve/hello"} 0', memory])
  control.script.runners = []
  now += 10_000
  expect(await used()).toEqual([])
})

test.each([
  ['no sample before', undefined, { memoryBytes: 30 }],
  ['one ten seconds before', sample(0, { a: 1, b: 2 }), { cpuPercent: 70, memoryBytes: 30 }],
  ['one before that knows one of them', sample(0, { a: 1 }), { cpuPercent: 20, memoryBytes: 30 }],
  ['one before that knows others', sample(0, { c: 1 }), { memoryBytes: 30 }],
  ['one of the same moment', sample(10_000, { a: 1 }), { memoryBytes: 30 }],
])('with %s, usage is what two samples tell', (_, before, usage) => {
  expect(usageOf(['a', 'b', 'dead'], before, sample(10_000, { a: 3, b: 7, c: 9 }))).toEqual(usage)
})

function sample(at: number, seconds: Readonly<Record<string, number>>) {
  const of = Object.entries(seconds).map(([id, cpuSeconds]) => [id, { cpuSeconds, memoryBytes: 15 }] as const)
  return { at, of: new Map(of) }
}

test('an answer stands for ten seconds', async () => {
  const { traffic } = control.deps.homes.of('hello')
  const received = async () =>
    (await lines('/v1/serverless/metrics', { key })).filter((line) => line.includes('received'))
  expect(await received()).toEqual([])
  traffic.received('GET')
  expect(await received()).toEqual([])
  now += 10_000
  expect(await received()).toEqual(['fal_app_requests_received{application="eve/hello",method="GET"} 1'])
})

test('metrics of the whole server are for keys of the first account', async () => {
  control.deps.homes.of('hello').traffic.completed('POST', 500, 0)
  const all = await lines('/metrics', { key: control.keys.ann })
  expect(all).toContain('carrick_requests_total{outcome="error"} 1')
  expect(all).toContain('carrick_queue_length{application="eve/hello"} 0')
  expect(all).toContain('carrick_apps 1')
  expect(all.find((line) => line.startsWith('carrick_store_commits_total'))).toMatch(/ [1-9]\d*$/)
  expect(all.some((line) => line.startsWith('nodejs_eventloop_lag_seconds'))).toBe(true)
  expect(await control.rest('/metrics', { key: control.keys.bob })).toMatchObject({ status: 403 })
  expect(await control.rest('/metrics', { key: null })).toMatchObject({ status: 401 })
})

test('the page lists every metric with its labels, in the words of the code', async () => {
  const page = await readFile(new URL('../../../../../docs/reference/metrics.md', import.meta.url), 'utf8')
  const rows = Object.entries({ ...accountMetrics, ...serverMetrics }).map(
    ([name, { labels, help }]) => `| \`${name}\` | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`,
  )
  const written = page.split('\n').filter((line) => /^\| `(fal|carrick)_/.test(line))
  expect(written.map((line) => line.replaceAll(/ +/g, ' '))).toEqual(rows.map((row) => row.replaceAll(/ +/g, ' ')))
})

test('the page says what every reason of a refusal is', async () => {
  const page = await readFile(new URL('../../../../../docs/reference/metrics.md', import.meta.url), 'utf8')
  const section = page.slice(page.indexOf('| Reason |'))
  expect(Array.from(section.matchAll(/^\| `(\w+)` \|/gm), ([, reason]) => reason)).toEqual([...rejections])
})
