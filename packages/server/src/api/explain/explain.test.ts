import { DeploymentStrategy } from '@carrick/protocol/gen/controller_pb.js'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Decision } from '../../domain/decision.ts'
import { serverDefaults } from '../../domain/scale.ts'
import { calculated } from '../../domain/scaling.ts'
import { acceptRequest } from '../../store/requests.ts'
import { addRunner, saveRunner } from '../../store/runners.ts'
import { pend, start, terminate } from '../../domain/runner.ts'
import { openTestControl, type TestControl } from '../../testing/control.ts'

let control: TestControl
let appId = ''
let revisionId = ''
beforeEach(async () => {
  control = await openTestControl()
  const environments = [{ kind: 'virtualenv', configuration: { python_version: '3.11', requirements: ['fal'] } }]
  const callable = { case: 'function', value: { method: 'cloudpickle', definition: new Uint8Array([1]) } } as const
  const deploy = { environments, callable, deploymentStrategy: DeploymentStrategy.RECREATE }
  for await (const { result } of control.client().registerApplication({ ...deploy, applicationName: 'hello' }))
    revisionId = result?.applicationId ?? revisionId
  appId = control.apps.find('ann', 'hello')?.app.id ?? ''
  return () => control[Symbol.asyncDispose]()
})

/** Seven requests wait, a runner is starting, two more are started. */
function starting(more: Partial<Decision> = {}): Decision {
  const scale = { ...serverDefaults, max_concurrency: 5, max_multiplexing: 2 }
  const all = calculated(scale, 7)
  return {
    at: 100_000,
    scaling: {
      scale,
      running: 0,
      waiting: 7,
      waitingSince: 88_000,
      atMost: all,
      atLeast: all,
      desired: { atLeast: 4, atMost: 4 },
      counted: 2,
    },
    there: { pending: 0, starting: 2, startingSince: 99_000, idle: 0, busy: 0, ending: 0, finishing: 0 },
    steps: [{ kind: 'start', cause: 'demand', runners: ['runner-1', 'runner-2'], count: 2 }],
    blocks: [],
    ...more,
  }
}

describe('an app is explained', () => {
  const at = (last = '') => control.rest(`/v1/serverless/apps/ann/hello/explain${last}`)

  test('by what would be decided now and what was decided lately, as data and in sentences', async () => {
    const kept = { decision: starting(), firstAt: 90_000, times: 3 }
    control.script.decisions = { now: starting({ steps: [] }), kept: [kept, kept] }
    const { status, body } = await at('?last=1')
    expect(status).toBe(200)
    expect(body).toMatchObject({
      endpoint_id: 'ann/hello',
      now: {
        at: '1970-01-01T00:01:40.000Z',
        inputs: { running: 0, waiting: 7, oldest_wait_ms: 12_000, runners: 2, max_multiplexing: 2, keep_alive: 10 },
        calculation: { volume: 7, needed: 4, buffer: 0, wanted: 4, desired: 4 },
        runners: { starting: 2, idle: 0 },
        outcome: [],
        blocked_by: [],
      },
      decisions: [
        {
          first_at: '1970-01-01T00:01:30.000Z',
          times: 3,
          outcome: [{ kind: 'start', count: 2, runner_ids: ['runner-1', 'runner-2'] }],
          sentences: expect.arrayContaining(['Starts 2 runners (runner-1, runner-2).']),
        },
      ],
    })
    expect((body as { decisions: unknown[] }).decisions).toHaveLength(1)
  })

  test('to its owner, and of as many decisions as are kept', async () => {
    expect((await at('?last=51')).status).toBe(400)
    const bobs = await control.rest('/v1/serverless/apps/ann/hello/explain', { key: control.keys.bob })
    expect(bobs).toMatchObject({ status: 404, body: { error: { message: expect.stringContaining('not found') } } })
  })
})

test('a waiting request is explained by what its app is doing', async () => {
  const payload = { method: 'POST', path: '/', headers: [], body: { inline: new Uint8Array() }, callerId: 'ann' }
  const request = { id: 'asked', appId, priority: 'normal' as const, acceptedAt: 88_000, startBy: 130_000, payload }
  const retry = { forbidden: false, budgets: {} }
  const seq = await control.store.commit(acceptRequest({ ...request, retry }))
  control.deps.homes.of(appId).admit({ ...request, seq, retry, attempt: 0, dueAt: 0, used: {} })
  control.script.decisions = { now: starting(), kept: [] }
  const { body } = await control.rest('/v1/serverless/requests/asked/explain')
  expect(body).toMatchObject({
    request_id: 'asked',
    endpoint_id: 'ann/hello',
    status: 'IN_QUEUE',
    reasons: [
      { kind: 'in_line', ahead: 0, sentence: 'It has waited for 12 s: it is the next one.' },
      { kind: 'starting', runners: 2, sentence: expect.stringContaining('2 runners are starting, the first for 1 s') },
      { kind: 'about_to_start', runners: 2 },
      { kind: 'start_deadline', sentence: expect.stringContaining('in 30 s, it ends with 504') },
    ],
  })
  const bobs = await control.rest('/v1/serverless/requests/asked/explain', { key: control.keys.bob })
  expect(bobs.status).toBe(404)
})

test('a runner is explained by the decisions that started and ended it, and its exit', async () => {
  const identity = { id: 'runner-1', appId, accountId: 'account-ann', revisionId, machineType: 'XS' }
  const pending = pend({ ...identity, createdAt: 100_000 }, 100_000)
  const setup = start(pending, 1_000, 100_000)
  const gone = terminate(setup, 'startup_failure', 103_000, { code: 1, signal: null })
  await control.store.commit(addRunner(pending))
  await control.store.commit(saveRunner('pending', setup))
  await control.store.commit(saveRunner('setup', gone))
  control.script.decisions = { now: starting(), kept: [{ decision: starting(), firstAt: 100_000, times: 1 }] }
  const { body } = await control.rest('/v1/serverless/runners/runner-1/explain')
  expect(body).toMatchObject({
    runner_id: 'runner-1',
    endpoint_id: 'ann/hello',
    state: 'terminated',
    reason: 'startup_failure',
    exit_code: 1,
    sentences: [
      `Runner runner-1 is one of ann/hello, revision ${revisionId}, on the machine type XS.`,
      expect.stringContaining('0 running, 7 waiting, 2 runners there; needed = ceil(7 / 2) = 4'),
      'It was started at 1970-01-01T00:01:40.000Z and was never ready.',
      'It ended at 1970-01-01T00:01:43.000Z: it ended before it was ready. Its process ended with exit code 1.',
    ],
  })
  const bobs = await control.rest('/v1/serverless/runners/runner-1/explain', { key: control.keys.bob })
  expect(bobs.status).toBe(404)
})
