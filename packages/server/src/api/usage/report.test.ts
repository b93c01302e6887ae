import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { hourMs } from '../../domain/usage.ts'
import { addPrices } from '../../store/machine-prices.ts'
import { registerRevision } from '../../store/next-revisions.ts'
import { addRunner, saveRunner } from '../../store/runners.ts'
import { openTestControl, type TestControl } from '../../testing/control.ts'
import { endTestRequest } from '../../testing/requests.ts'
import { testSpec } from '../../testing/scheduler.ts'
import { createUsageKeeper } from './keeper.ts'
import { Sweep } from '../retention/sweep.ts'

const noon = 500_000 * hourMs
let now = noon
let control: TestControl
beforeEach(async () => {
  now = noon
  control = await openTestControl({ clock: { now: () => now } })
  const spec = testSpec({})
  const app = { id: 'app-1', accountId: 'account-ann', name: 'hello', environment: 'main' }
  const next = { revisionId: 'revision-1', strategy: 'recreate', scale: spec.scale, basedOn: spec.scale, now } as const
  await control.store.commit(registerRevision(app, spec, { ...next, authMode: 'shared' }))
  const runner = { ...identity, state: 'setup', startedAt: noon, readyBy: noon + 1 } as const
  await control.store.commit(addRunner(runner))
})
afterEach(() => control[Symbol.asyncDispose]())

const identity = {
  id: 'runner-1',
  appId: 'app-1',
  accountId: 'account-ann',
  revisionId: 'revision-1',
  machineType: 'GPU-H100',
  createdAt: noon,
  placement: { machineId: 'here', machineType: 'GPU-H100', cpus: 1, memoryBytes: 1, gpus: [0, 1] },
}

interface Report {
  readonly rows: object[]
  readonly total: object
}
const report = async (query: string, key?: string) => {
  const { status, body } = await control.rest(`/v1/serverless/usage/report?${query}`, key === undefined ? {} : { key })
  expect(status, JSON.stringify(body)).toBe(200)
  return body as Report
}
const keyId = (key: string) => key.split(':')[0]

/** A direct call of so many seconds. */
function call(key: string | undefined, seconds: number, headers: readonly (readonly [string, string])[] = []) {
  const use = control.deps.homes.usage.begin('runner-1', { keyId: key && keyId(key), isShared: true }, 'direct')
  now += seconds * 1_000
  use.answered(headers)
  use.end()
}

describe('a report of usage', () => {
  test("says who had a shared app's runner, and leaves the rest to its owner", async () => {
    call(control.keys.bob, 20)
    call(control.keys.annsApi, 10)
    call(undefined, 5)
    now += 25_000
    const { rows, total } = await report('by=caller,key')
    expect(rows).toMatchObject([
      { caller: 'ann', key: null, runner_seconds: 30, gpu_seconds: 60, requests: 0 },
      { caller: expect.stringMatching(/^[0-9a-f]{64}$/), key: null, runner_seconds: 20, gpu_seconds: 40, requests: 1 },
      { caller: 'ann', key: keyId(control.keys.annsApi), runner_seconds: 10, requests: 1 },
      { caller: 'anonymous', key: null, runner_seconds: 0, requests: 1 },
    ])
    expect(total).toMatchObject({ runner_seconds: 60, gpu_seconds: 120, requests: 3, cost: null })
    expect((await report('by=caller&view=paid')).total).toMatchObject({ runner_seconds: 40, requests: 1 })
    expect((await report('by=caller&view=paid', control.keys.bob)).total).toMatchObject({ runner_seconds: 20 })
    expect(JSON.stringify(rows)).not.toContain(keyId(control.keys.bob))
  })

  test('tells another account what it pays for, and nothing else', async () => {
    call(control.keys.bob, 1)
    expect((await report('by=app', control.keys.bob)).rows).toEqual([])
    expect((await report('by=app,revision,key,caller&view=paid', control.keys.bob)).rows).toMatchObject([
      { app: 'ann/hello', revision: null, caller: 'bob', key: keyId(control.keys.bob), requests: 1 },
    ])
  })

  test('counts requests of the queue from their rows, with the units of their answers, and keeps them when those are gone', async () => {
    const times = { appId: 'app-1', acceptedAt: noon, startedAt: noon, finishedAt: noon + 5 }
    await endTestRequest(control.store, 'one', { ...times, headers: [['x-fal-billable-units', '2.5']] })
    await endTestRequest(control.store, 'two', times)
    now += 1_000
    const before = await report('by=app')
    expect(before.total).toMatchObject({ requests: 2, billable_units: 2.5 })

    await endTestRequest(control.store, 'three', times)
    const ended = { ...identity, state: 'terminated', reason: 'stopped', endedAt: noon + 1_000 } as const
    await control.store.commit(saveRunner('setup', ended))
    now += 200 * 24 * hourMs
    const keeper = createUsageKeeper({
      store: control.store,
      meter: control.deps.homes.usage,
      clock: { now: () => now },
    })
    const parts = { store: control.store, apps: control.apps, clock: { now: () => now }, log: control.deps.log }
    const sweep = new Sweep({ ...parts, retentionDays: 30, count: () => keeper.count() })
    await sweep.pass(new AbortController().signal)
    expect(sweep.swept).toMatchObject({ requests: 3, runners: 1 })
    const window = `start=${new Date(noon).toISOString()}&end=${new Date(noon + hourMs).toISOString()}`
    expect((await report(`by=app&${window}`)).total).toMatchObject({
      requests: 3,
      billable_units: 2.5,
      runner_seconds: 1,
    })
  })

  test('is in money where there are prices, and the past keeps its own', async () => {
    const price = { machineType: 'GPU-H100', since: 0, perSecond: 2, gpus: 1 }
    await control.store.commit(addPrices([price, { ...price, since: noon + hourMs, perSecond: 3 }]))
    now += 2 * hourMs
    expect((await report('by=hour')).rows).toMatchObject([
      { runner_seconds: 3_600, gpu_seconds: 7_200, cost: 14_400 },
      { runner_seconds: 3_600, gpu_seconds: 7_200, cost: 21_600 },
    ])
    expect(await report('by=app')).toMatchObject({ rows: [{ cost: 36_000 }], currency: 'EUR' })
    const { body } = await control.rest('/v1/serverless/usage')
    expect((body as { usage: object[] }).usage).toMatchObject([
      { machine_type: 'GPU-H100', quantity: 7_200, unit_price: 2, cost_total: 14_400 },
      { machine_type: 'GPU-H100', quantity: 7_200, unit_price: 3, cost_total: 21_600 },
    ])
  })

  test.each([
    ['by=shoe-size', /machine-type/],
    ['start=2030-01-01T00:00:00Z&end=2029-01-01T00:00:00Z', /before end/],
    [`start=${new Date(noon - 500 * 24 * hourMs).toISOString()}`, /400 days/],
  ])('refuses %s with what is allowed', async (query, said) => {
    const { status, body } = await control.rest(`/v1/serverless/usage/report?${query}`)
    expect(status).toBe(400)
    expect(JSON.stringify(body)).toMatch(said)
  })

  test('is of one app or environment when asked', async () => {
    now += 10_000
    expect((await report('by=app&app=hello')).total).toMatchObject({ runner_seconds: 10 })
    expect((await report('by=app&app=ann/hello&environment=main')).total).toMatchObject({ runner_seconds: 10 })
    expect((await report('by=app&app=other')).total).toMatchObject({ runner_seconds: 0 })
    expect((await report('by=app&environment=staging')).rows).toEqual([])
  })
})

describe('units that come later', () => {
  test('are taken of a direct call whose answer announced them', async () => {
    const key = await control.keyring.mint('account-ann', ['apps:call'], 'runner')
    const { keyId: id, secret } = key
    await control.store.commit(
      saveRunner('setup', { ...identity, keyId: id, state: 'setup', startedAt: noon, readyBy: noon + 1 }),
    )
    const tell = () => {
      const body = JSON.stringify({ billable_units: '12.5' })
      const headers = { 'content-type': 'application/json' }
      return control.rest('/requests/billable-units/direct', { key: `${id}:${secret}`, method: 'POST', body, headers })
    }
    expect((await tell()).body).toMatchObject({ recorded: false })
    call(control.keys.bob, 0, [['x-fal-billable-units-webhook', '1']])
    expect((await tell()).body).toMatchObject({ recorded: true })
    expect((await tell()).body).toMatchObject({ recorded: true })
    now += 1
    expect((await report('by=app')).total).toMatchObject({ requests: 1, billable_units: 12.5 })
  })
})
