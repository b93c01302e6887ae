import type { MessageInitShape } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import {
  ApplicationAuthMode,
  DeploymentStrategy,
  RetryCondition,
  type RegisterApplicationRequest,
  type RegisterApplicationRequestSchema,
  type RegisterApplicationResult,
} from '@carrick/protocol/gen/controller_pb.js'
import { buffer } from 'node:stream/consumers'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { abortRolling, switchRevision } from '../../store/next-revisions.ts'
import { testRunner as runner, openTestControl } from '../../testing/control.ts'
import type { TestControl } from '../../testing/control.ts'

let control: TestControl

beforeEach(async () => {
  control = await openTestControl()
  return () => control[Symbol.asyncDispose]()
})

const configuration = { python_version: '3.11', requirements: ['fal'] }
const code = new Uint8Array([0x80, 4, 0x2e])

type Sent = Exclude<MessageInitShape<typeof RegisterApplicationRequestSchema>, RegisterApplicationRequest>

/** A deploy as the stock client sends it. */
function request(more: Sent = {}): Sent {
  return {
    applicationName: 'hello',
    environments: [{ kind: 'virtualenv', configuration }],
    machineRequirements: { machineTypes: ['S'], keepAlive: 60, maxMultiplexing: 4 },
    callable: { case: 'function', value: { method: 'cloudpickle', definition: code } },
    deploymentStrategy: DeploymentStrategy.RECREATE,
    scale: false,
    buildEnvironment: false,
    metadata: { openapi: { paths: {} } },
    ...more,
  }
}

const rolling = { deploymentStrategy: DeploymentStrategy.ROLLING }

async function register(more: Sent = {}) {
  const messages: RegisterApplicationResult[] = []
  for await (const message of control.client().registerApplication(request(more))) messages.push(message)
  return messages
}

async function deployed(more: Sent = {}): Promise<string> {
  return (await register(more)).at(-1)?.result?.applicationId ?? ''
}

/** Resolves with the revision that is being brought up, once one other than `not` is. */
function rollingRevision(not?: string): Promise<string> {
  return vi.waitFor(() => {
    const id = control.apps.find('ann', 'hello')?.app.rollingRevisionId
    if (id === undefined || id === not) throw new Error('no new revision is being brought up')
    return id
  }, 10_000)
}

const appId = () => control.apps.find('ann', 'hello')?.app.id ?? ''
const listed = async () => (await control.client().listAliases({})).aliases
const becomeHealthy = (id: string) => control.store.commit(switchRevision(appId(), id, undefined, control.clock.now()))

async function fail(id: string, why: string): Promise<void> {
  await control.store.commit(abortRolling(appId(), id, control.clock.now(), why))
}

test('a recreate deploy answers its revision and addresses in one message, and is live', async () => {
  const messages = await register()
  expect(messages).toHaveLength(1)
  const host = `127.0.0.1:${control.port}`
  expect(messages[0]).toMatchObject({
    result: { applicationId: expect.stringMatching(/^[0-9a-f-]{36}$/) },
    serviceUrls: {
      run: `http://${host}/ann/hello`,
      queue: `http://${host}/queue/ann/hello`,
      ws: `ws://${host}/ws/ann/hello`,
    },
    envId: 'e'.repeat(64),
  })
  const revision = messages[0]?.result?.applicationId
  expect(await listed()).toMatchObject([
    { alias: 'hello', revision, keepAlive: 60, maxMultiplexing: 4, machineTypes: ['S'], isRolling: false },
  ])
})

test('what was deployed is stored: the callable as it came, the environment, and what was said about it', async () => {
  await deployed({
    sourceCode: 'import fal',
    skipRetryConditions: [RetryCondition.TIMEOUT, RetryCondition.CLIENT_ERROR],
    retryConfig: '{"connection_error": {"retries": 2}}',
    healthCheckConfig: { path: '/health', timeoutSeconds: 7, allowOnBusy: false },
    terminationGracePeriodSeconds: 9,
    privateLogs: true,
    secrets: { names: ['FAL_KEY'] },
  })
  const spec = control.apps.find('ann', 'hello')?.active?.spec
  expect(spec).toMatchObject({
    environment: { pythonVersion: '3.11', layers: [['fal']] },
    environmentId: 'e'.repeat(64),
    callable: { method: 'cloudpickle' },
    skipRetryConditions: ['timeout'],
    retryBudgets: { connection_error: 2 },
    healthCheck: {
      path: '/health',
      method: 'POST',
      timeoutSeconds: 7,
      startPeriodSeconds: 30,
      failureThreshold: 3,
      allowOnBusy: false,
    },
    terminationGracePeriodSeconds: 9,
    privateLogs: true,
    metadata: { openapi: { paths: {} } },
    sourceCode: 'import fal',
  })
  const blob = spec !== undefined && 'blob' in spec.callable ? spec.callable.blob : ''
  expect(await buffer(await control.blobs.open(blob))).toEqual(Buffer.from(code))
})

test('a health check may be told in the older form, as a path', async () => {
  await deployed({ healthCheckPath: '/well' })
  expect(control.apps.find('ann', 'hello')?.active?.spec.healthCheck).toEqual({
    path: '/well',
    method: 'POST',
    startPeriodSeconds: 30,
    timeoutSeconds: 5,
    failureThreshold: 3,
    callRegularly: true,
  })
})

test('build output comes as BUILDER lines before the result', async () => {
  control.script.build = async (_definition, { onLine }) => {
    onLine('Resolved 3 packages')
    return 'f'.repeat(64)
  }
  const messages = await register()
  expect(messages.flatMap(({ logs }) => logs)).toMatchObject([{ message: 'Resolved 3 packages', source: 0 }])
  expect(messages.at(-1)).toMatchObject({ envId: 'f'.repeat(64) })
})

test('a rolling deploy answers only when its revision is healthy, and passes on what its runner says', async () => {
  const pending = register(rolling)
  const revisionId = await rollingRevision()
  expect(await listed()).toEqual([]) // no endpoint yet
  control.script.runners = [runner({ id: 'runner-1', revisionId })]
  const line = { at: control.clock.now(), source: 'user', level: 'stdout', accountId: 'account-ann' } as const
  control.logs.append({ ...line, message: 'loading the model', runnerId: 'runner-1' })
  await becomeHealthy(revisionId)
  const messages = await pending
  expect(messages.at(-1)?.result?.applicationId).toBe(revisionId)
  expect(messages.flatMap(({ logs }) => logs.map(({ message }) => message))).toEqual(['loading the model'])
  expect(await listed()).toMatchObject([{ revision: revisionId, isRolling: false }])
})

test('a first deploy that fails leaves no alias, and its traceback reaches the one who deployed', async () => {
  const pending = errorOf(register(rolling))
  await fail(await rollingRevision(), 'Traceback (most recent call last):\nValueError: no such model')
  expect(await pending).toMatchObject({
    code: Code.FailedPrecondition,
    rawMessage: expect.stringContaining('ValueError: no such model'),
  })
  expect(await listed()).toEqual([])
})

test('a later deploy that fails leaves the old revision serving, and says so', async () => {
  const old = await deployed()
  const pending = errorOf(register(rolling))
  const failing = await rollingRevision()
  expect(await listed()).toMatchObject([{ revision: old, isRolling: true }])
  await fail(failing, 'boom')
  expect((await pending).rawMessage).toContain('The old revision keeps serving')
  expect(await listed()).toMatchObject([{ revision: old, isRolling: false }])
})

test('of two deploys at once the newer wins, and the older hears that it was superseded', async () => {
  const older = errorOf(register(rolling))
  const first = await rollingRevision()
  const newer = deployed(rolling)
  const second = await rollingRevision(first)
  expect(await older).toMatchObject({ code: Code.Aborted, rawMessage: expect.stringContaining('superseded') })
  await becomeHealthy(second)
  expect(await newer).toBe(second)
})

test('a deploy whose app is deleted meanwhile says so', async () => {
  const pending = errorOf(register(rolling))
  await rollingRevision()
  await control.client().deleteAlias({ alias: 'hello' })
  expect((await pending).rawMessage).toContain('the app was deleted')
})

test('many first deploys at once make one app, which has one of them', async () => {
  const ends = await Promise.allSettled(Array.from({ length: 5 }, () => deployed()))
  const revisions = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []))
  const refused = ends.flatMap((end) => (end.status === 'rejected' ? [ConnectError.from(end.reason).rawMessage] : []))
  expect(refused.filter((message) => !message.includes('superseded: a change that began later'))).toEqual([])
  // Which of them began last nobody outside can tell: their ids may be of the same millisecond.
  expect(await listed()).toMatchObject([{ revision: expect.toSatisfy((id: string) => revisions.includes(id)) }])
  const { applications } = await control.client().listApplications({ applicationName: 'hello' })
  expect(applications.map(({ applicationId }) => applicationId).toSorted()).toEqual(revisions.toSorted())
})

describe('what an app brings along is bounded: it is in memory as long as the app is there', () => {
  const mib = 1024 * 1024

  test('metadata that is too large is refused, and nothing is registered', async () => {
    const metadata = { openapi: { info: 'x'.repeat(4 * mib) } }
    expect(await errorOf(register({ metadata }))).toMatchObject({
      code: Code.InvalidArgument,
      rawMessage: expect.stringContaining('may be 4 MiB of JSON at most, and came with 4 MiB'),
    })
    expect(await listed()).toEqual([])
  })

  test('so is an environment', async () => {
    const environments = [{ kind: 'virtualenv', configuration: { ...configuration, resolver: 'x'.repeat(5 * mib) } }]
    expect(await errorOf(register({ environments }))).toMatchObject({
      rawMessage: 'An environment may be 4 MiB of JSON at most, and came with 5 MiB',
    })
  })

  test('of a source text that is too large nothing is kept, and the app is deployed', async () => {
    const kept = async (sourceCode: string) => {
      await deployed({ sourceCode })
      return control.apps.find('ann', 'hello')?.active?.spec.sourceCode
    }
    expect(await kept('text')).toBe('text')
    expect(await kept('x'.repeat(mib + 1))).toBeUndefined()
  })
})

describe('of two changes at once the one that began last wins', () => {
  /** A build that takes until it is told to end. */
  function slowBuild() {
    const begun = Promise.withResolvers<void>()
    const end = Promise.withResolvers<void>()
    control.script.build = async () => {
      control.script.build = async () => 'e'.repeat(64)
      begun.resolve()
      await end.promise
      return 'f'.repeat(64)
    }
    return { begun: begun.promise, end: end.resolve }
  }
  const tooLate = {
    code: Code.Aborted,
    rawMessage: expect.stringContaining('a change that began later was there first'),
  }

  test.each([
    ['recreate', {}],
    ['rolling', rolling],
  ])('although the build of the other ends later (%s)', async (_, how) => {
    await deployed()
    const build = slowBuild()
    const older = errorOf(register(how))
    await build.begun
    const newer = await deployed()
    build.end()
    expect(await older).toMatchObject(tooLate)
    expect(await listed()).toMatchObject([{ revision: newer, isRolling: false }])
    const { applications } = await control.client().listApplications({ applicationName: 'hello' })
    expect(applications).toHaveLength(2)
  })

  test('although its build was asked for by itself before, as the stock client does', async () => {
    const { environments } = request()
    const built = async () => drained(control.client().buildEnvironment({ environments, applicationName: 'hello' }))
    await deployed()
    const build = slowBuild()
    const older = built()
    await build.begun
    await built()
    const newer = await deployed()
    build.end()
    await older
    control.script.build = async () => 'f'.repeat(64)
    expect(await errorOf(register())).toMatchObject(tooLate)
    expect(await listed()).toMatchObject([{ revision: newer }])
    await built() // another deploy of the same, that begins now
    const last = await deployed()
    expect(await listed()).toMatchObject([{ revision: last }])
  })

  test('also where the newer one goes back to another revision', async () => {
    const first = await deployed()
    await deployed()
    const build = slowBuild()
    const older = errorOf(register(rolling))
    await build.begun
    await control
      .client()
      .setAlias({ alias: 'hello', revision: first, deploymentStrategy: DeploymentStrategy.RECREATE })
    build.end()
    expect(await older).toMatchObject(tooLate)
    expect(await listed()).toMatchObject([{ revision: first, isRolling: false }])
  })

  test('and one that failed before it reached the app is nobody’s rival', async () => {
    const build = slowBuild()
    const older = deployed()
    await build.begun
    await errorOf(register({ machineRequirements: { maxConcurrency: 0 } }))
    build.end()
    const revision = await older
    expect(await listed()).toMatchObject([{ revision }])
  })

  test('a rolling deploy gives way to one that recreates, and to going back', async () => {
    const first = await deployed()
    const older = errorOf(register(rolling))
    await rollingRevision()
    const newer = await deployed()
    expect(await older).toMatchObject({ rawMessage: expect.stringContaining('superseded') })
    const third = errorOf(register(rolling))
    await rollingRevision()
    await control.client().setAlias({ alias: 'hello', revision: newer })
    expect(await third).toMatchObject({ rawMessage: expect.stringContaining('superseded') })
    expect(await listed()).toMatchObject([{ revision: newer, isRolling: false }])
    expect(first).not.toBe(newer)
  })
})

test('a detached deploy moves the alias and answers at once; a first one waits all the same', async () => {
  const first = deployed({ ...rolling, attachToDeployment: false })
  const revisionId = await rollingRevision()
  await becomeHealthy(revisionId)
  expect(await first).toBe(revisionId)
  const second = await deployed({ ...rolling, attachToDeployment: false })
  expect(await listed()).toMatchObject([{ revision: second, isRolling: false }])
  expect(control.script.asked).toEqual([`warm ${second}`])
})

test('how a deploy ended is on record although its client went away before', async () => {
  await deployed()
  const away = new AbortController()
  const pending = errorOf(drained(control.client().registerApplication(request(rolling), { signal: away.signal })))
  const revisionId = await rollingRevision()
  away.abort()
  await pending
  await fail(revisionId, 'ValueError: no such model')
  const record = async () => (await control.rest('/v1/events?action=deploy&limit=1')).body
  await vi.waitFor(async () => expect(JSON.stringify(await record())).toContain('no such model'), 10_000)
})

test('a deploy goes on when its client goes away', async () => {
  const away = new AbortController()
  const pending = errorOf(drained(control.client().registerApplication(request(rolling), { signal: away.signal })))
  const revisionId = await rollingRevision()
  away.abort()
  expect(await pending).toMatchObject({ code: Code.Canceled })
  await becomeHealthy(revisionId)
  expect(await listed()).toMatchObject([{ revision: revisionId }])
})

test('live settings survive a deploy unless it resets them; what belongs to the code does not', async () => {
  await deployed()
  await control.client().updateApplication({ applicationName: 'hello', keepAlive: 5, maxMultiplexing: 9 })
  await deployed()
  expect(await listed()).toMatchObject([{ keepAlive: 5, maxMultiplexing: 4 }])
  await deployed({ scale: true })
  expect(await listed()).toMatchObject([{ keepAlive: 60, maxMultiplexing: 4 }])
})

test('a deploy without an auth mode is private, also of an app that was public', async () => {
  await deployed({ authMode: ApplicationAuthMode.PUBLIC })
  expect(await listed()).toMatchObject([{ authMode: ApplicationAuthMode.PUBLIC }])
  await deployed()
  expect(await listed()).toMatchObject([{ authMode: ApplicationAuthMode.PRIVATE }])
})

const filesAt = (...paths: string[]): Sent => ({
  files: paths.map((relativePath) => ({ hash: 'a'.repeat(64), relativePath })),
})

const refusals: readonly (readonly [what: string, sent: Sent, code: Code, words: string])[] = [
  ['a name that cannot be one', { applicationName: 'Hello_World' }, Code.InvalidArgument, 'hello-world'],
  ['no name', { applicationName: undefined }, Code.InvalidArgument, 'name'],
  ['no code', { callable: { case: undefined } }, Code.InvalidArgument, 'code'],
  ['no entry point', { callable: { case: 'entrypoint', value: 'a.B' } }, Code.InvalidArgument, 'module:attribute'],
  [
    'a wrong module',
    { callable: { case: 'function', value: { method: 'os; x', definition: code } } },
    Code.InvalidArgument,
    'module',
  ],
  ['a file without a hash', { files: [{ hash: 'h', relativePath: 'a' }] }, Code.InvalidArgument, 'hexadecimal'],
  ['a file that was not uploaded', filesAt('a'), Code.InvalidArgument, '"a" has not been uploaded'],
  ['a file that lies elsewhere', filesAt('../a'), Code.InvalidArgument, '".." leads out'],
  ['a file at an absolute path', filesAt('/etc/passwd'), Code.InvalidArgument, 'must be relative'],
  ['a file twice', filesAt('pkg/A', 'pkg/a'), Code.InvalidArgument, 'comes twice'],
  ['a file in a file', filesAt('a', 'a/b'), Code.InvalidArgument, 'a file and a folder'],
  ['data_mounts elsewhere', { dataMounts: ['/etc'] }, Code.InvalidArgument, 'not below /data'],
  ['an unknown secret', { secrets: { names: ['FAL_KEY', 'TOKEN'] } }, Code.NotFound, 'Secret "TOKEN" not found'],
  ['volumes', { volumes: [{ volumeName: 'v', mountPath: '/v' }] }, Code.Unimplemented, 'volumes'],
  ['an impossible number', { machineRequirements: { maxConcurrency: 0 } }, Code.InvalidArgument, 'max_concurrency'],
  ['a bad retry_config', { retryConfig: '{"never": 1}' }, Code.InvalidArgument, 'retry_config'],
  ['retry_config that is no JSON', { retryConfig: '{' }, Code.InvalidArgument, 'retry_config'],
  ['attaching to what is over at once', { attachToDeployment: true }, Code.InvalidArgument, '--strategy rolling'],
  ['an unknown environment', { environmentName: 'staging' }, Code.InvalidArgument, 'not found: there is main'],
]

test.each(refusals)('%s is refused with a sentence, and nothing is stored', async (_what, more, wanted, words) => {
  const error = await errorOf(register(more))
  expect(error).toMatchObject({ code: wanted, rawMessage: expect.stringContaining(words) })
  expect([...control.apps.all()]).toEqual([])
})

test("somebody else's app of the same name is another app", async () => {
  const mine = await deployed()
  for await (const _ of control.client(control.keys.bob).registerApplication(request()));
  expect(await listed()).toMatchObject([{ revision: mine }])
  expect((await control.client(control.keys.bob).listAliases({})).aliases).toHaveLength(1)
})

async function errorOf(work: Promise<unknown>): Promise<ConnectError> {
  return work.then(
    () => Promise.reject(new Error('it succeeded')),
    (error: unknown) => ConnectError.from(error),
  )
}

async function drained(messages: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of messages);
}
