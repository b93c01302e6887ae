import { DeploymentStrategy } from '@carrick/protocol/gen/controller_pb.js'
import { Code } from '@connectrpc/connect'
import { beforeEach, expect, test } from 'vitest'
import type { Unplaced } from '../../domain/placement.ts'
import { updateApp } from '../apps/apps.ts'
import { openTestControl, testRunner, type TestControl } from '../../testing/control.ts'
import { testHardware } from '../../testing/hardware.ts'

let control: TestControl
beforeEach(async () => {
  const gpus = [0, 1].map((index) => ({ index, name: 'NVIDIA H100 PCIe' }))
  control = await openTestControl({ hardware: testHardware({ cpus: 64, memoryBytes: 300 * 2 ** 30, gpus }) })
  const placement = { machineId: 'box', machineType: 'GPU-H100', cpus: 12, memoryBytes: 2 ** 30, gpus: [1] }
  const waitsFor: Unplaced = { kind: 'account_runners', limit: 1 }
  control.script.runners = [
    testRunner({ id: 'there', state: 'idle', placement }),
    testRunner({ id: 'waits', state: 'pending', waitsFor }),
  ]
  return () => control[Symbol.asyncDispose]()
})

const machines = async (key?: string) =>
  (await control.rest('/v1/machines', key === undefined ? {} : { key })).body as {
    machines: { gpus: { runner_id: string | null }[]; runners: unknown[] }[]
    machine_types: { name: string; fits: boolean }[]
    waiting: unknown[]
  }

test('the machines are told with who holds what, which types fit, and who waits for what', async () => {
  const answer = await machines()
  expect(answer.machines).toMatchObject([
    {
      id: 'box',
      cpus: 64,
      gpus: [
        { index: 0, runner_id: null },
        { index: 1, name: 'NVIDIA H100 PCIe', runner_id: 'there' },
      ],
      runners: [{ runner_id: 'there', machine_type: 'GPU-H100', gpus: [1] }],
    },
  ])
  const fitting = answer.machine_types.filter(({ fits }) => fits).map(({ name }) => name)
  expect(fitting).toEqual(['XS', 'S', 'M', 'L', 'XL', 'GPU-H100', 'GPU'])
  expect(answer.waiting).toEqual([
    {
      runner_id: 'waits',
      app: 'ann/hello',
      why: 'the account has as many runners as it may (1)',
    },
  ])
})

test('another account sees the machines and nothing of the runners', async () => {
  const answer = await machines(control.keys.bob)
  expect(answer.machines[0]!.gpus.map(({ runner_id }) => runner_id)).toEqual([null, null])
  expect(answer.machines[0]!.runners).toEqual([])
  expect(answer.waiting).toEqual([])
})

type Asked = { machineTypes?: string[]; validRegions?: string[]; numGpus?: number }
const refusals: readonly (readonly [string, Asked, string])[] = [
  [
    'a GPU that is not here',
    { machineTypes: ['GPU-B200'] },
    'GPU-B200 needs 1 × B200 and there are 0. What fits here: XS',
  ],
  ['more GPUs than there are', { machineTypes: ['GPU-H100'], numGpus: 3 }, 'GPU-H100 needs 3 × H100 and there are 2.'],
  [
    'an unknown machine type',
    { machineTypes: ['S', 'GPU-H1000'] },
    'There is no machine type "GPU-H1000": there are XS',
  ],
  ['an unknown region', { validRegions: ['mars'] }, 'There is no region "mars": there are us-west'],
]
test.each(refusals)(
  '%s is refused at deploy, scale and run with what there is, and before anything is built',
  async (_what, machine, sentence) => {
    const invalid = { code: Code.InvalidArgument, rawMessage: expect.stringContaining(sentence) }
    await expect(deploy('other', machine)).rejects.toMatchObject(invalid)
    await expect(run(machine)).rejects.toMatchObject(invalid)
    await expect(buildAlone(machine)).rejects.toMatchObject(invalid)
    await deploy('hello', { machineTypes: ['S'] })
    const { numGpus, ...named } = machine
    if (numGpus === undefined) {
      await expect(control.client().updateApplication({ applicationName: 'hello', ...named })).rejects.toMatchObject(
        invalid,
      )
    }
    const body = { machine_types: machine.machineTypes, valid_regions: machine.validRegions, num_gpus: numGpus }
    const headers = { 'content-type': 'application/json' }
    const asked = { method: 'PUT', body: JSON.stringify(body), headers }
    const { status, body: answer } = await control.rest('/applications/scale/hello', asked)
    expect([status, JSON.stringify(answer)]).toEqual([422, expect.stringContaining(sentence.replaceAll('"', '\\"'))])
    const { aliases } = await control.client().listAliases({})
    expect(aliases.map(({ alias, machineTypes, validRegions }) => [alias, machineTypes, validRegions])).toEqual([
      ['hello', ['S'], []],
    ])
  },
)

test('an app keeps what it asked for before, whatever else is changed of it', async () => {
  await deploy('hello', { machineTypes: ['GPU-H100'], numGpus: 2 })
  const later = { ...control.deps, hardware: testHardware() }
  const caller = {
    accountId: 'account-ann',
    nickname: 'ann',
    keyId: 'k',
    permissions: new Set(['apps:write'] as const),
  }
  const attention = { signal: new AbortController().signal, say: () => {} }
  const input = { name: 'hello', environment: 'main', changes: { keep_alive: 7 } }
  expect((await updateApp(later, caller, input, attention)).app.scale).toMatchObject({ keep_alive: 7, num_gpus: 2 })
})

const code = {
  environments: [{ kind: 'virtualenv', configuration: { python_version: '3.11', requirements: ['fal'] } }],
}
const pickle = { method: 'cloudpickle', definition: new Uint8Array([1]) }

async function deploy(applicationName: string, machineRequirements: object): Promise<void> {
  const callable = { case: 'function', value: pickle } as const
  const request = {
    applicationName,
    ...code,
    callable,
    machineRequirements,
    deploymentStrategy: DeploymentStrategy.RECREATE,
  }
  for await (const _ of control.client().registerApplication(request));
}

/** As the stock client asks for it before a deploy; a build that begins all the same is another error. */
async function buildAlone(machineRequirements: object): Promise<void> {
  const { build } = control.script
  control.script.build = () => Promise.reject(new Error('it was built'))
  const { environments } = code
  try {
    for await (const _ of control.client().buildEnvironment({ environments, machineRequirements }));
  } finally {
    control.script.build = build
  }
}

async function run(machineRequirements: object): Promise<void> {
  const callable = { case: 'function', value: pickle } as const
  for await (const _ of control.client().run({ ...code, callable, machineRequirements }));
}

test('whoever looks after the server takes a machine into maintenance, and everybody is told', async () => {
  const post = async (path: string, body: object, key?: string) =>
    control.rest(path, { method: 'POST', body: JSON.stringify(body), ...(key === undefined ? {} : { key }) })
  expect((await post('/v1/machines/drain', {}, control.keys.bob)).status).toBe(403)
  expect((await post('/v1/machines/drain', { machine: 'nowhere' })).status).toBe(422)
  expect((await post('/v1/machines/drain', { deadline_seconds: -1 })).status).toBe(422)
  expect((await post('/v1/machines/drain', { deadline_seconds: 604_801 })).status).toBe(422)
  expect((await machines()).machines).toMatchObject([{ id: 'box', maintenance: null }])

  const drained = await post('/v1/machines/drain', { deadline_seconds: 60, message: 'a new driver' })
  const told = { message: 'a new driver', deadline: expect.stringContaining('T') }
  expect(drained.body).toMatchObject({ machine: 'box', runners: 1, maintenance: told })
  expect((await machines(control.keys.bob)).machines).toMatchObject([{ id: 'box', maintenance: told }])
  const status = await control.rest('/v1/status', {})
  expect(status.body).toMatchObject({ maintenance: [{ machine: 'box', runners: 1, message: 'a new driver' }] })

  expect((await post('/v1/machines/undrain', { machine: 'box' })).body).toMatchObject({ maintenance: null })
  const events = (await control.rest('/v1/events', {})).body as { events: { action: string; subject: string }[] }
  expect(events.events.map(({ action, subject }) => `${action} ${subject}`)).toEqual(
    expect.arrayContaining(['drain_machine box', 'undrain_machine box']),
  )
})
