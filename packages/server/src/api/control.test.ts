import { Code, ConnectError } from '@connectrpc/connect'
import { timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt'
import {
  ApplicationAuthMode,
  DeploymentStrategy,
  HostedRunStatus_State,
  RunnerInfo_State,
} from '@carrick/protocol/gen/controller_pb.js'
import type { BuildEnvironmentResult } from '@carrick/protocol/gen/controller_pb.js'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { CarrickError } from '../domain/errors.ts'
import { switchRevision } from '../store/next-revisions.ts'
import { addRunner } from '../store/runners.ts'
import { addNamedRevision } from '../store/named-revisions.ts'
import { openTestControl, testRunner } from '../testing/control.ts'
import type { TestControl } from '../testing/control.ts'

let control: TestControl

beforeEach(async () => {
  control = await openTestControl()
  return () => control[Symbol.asyncDispose]()
})

const environments = [{ kind: 'virtualenv', configuration: { python_version: '3.11', requirements: ['fal'] } }]
const callable = { case: 'function', value: { method: 'cloudpickle', definition: new Uint8Array([1]) } } as const
const { RECREATE, ROLLING } = DeploymentStrategy

/** Deploys at once, and answers the revision. */
async function deploy(name: string, machineRequirements = {}): Promise<string> {
  const request = { applicationName: name, environments, callable, machineRequirements, deploymentStrategy: RECREATE }
  let revision = ''
  for await (const { result } of control.client().registerApplication(request)) revision = result?.applicationId ?? ''
  return revision
}

async function errorOf(work: Promise<unknown>): Promise<ConnectError> {
  return work.then(
    () => Promise.reject(new Error('it succeeded')),
    (error: unknown) => ConnectError.from(error),
  )
}

describe('a build', () => {
  async function built(request: object = { environments }): Promise<BuildEnvironmentResult[]> {
    const messages: BuildEnvironmentResult[] = []
    for await (const message of control.client().buildEnvironment(request)) messages.push(message)
    return messages
  }

  test('streams its lines, then success and the id of the environment', async () => {
    control.script.build = async (_definition, { onLine }) => {
      onLine('one')
      await Promise.resolve()
      onLine('two')
      return 'f'.repeat(64)
    }
    const messages = await built()
    expect(messages.flatMap(({ logs }) => logs.map(({ message }) => message))).toEqual(['one', 'two'])
    expect(messages.at(-1)).toMatchObject({ envId: 'f'.repeat(64), status: { state: HostedRunStatus_State.SUCCESS } })
  })

  test('is forced when the client says so', async () => {
    const forced: (boolean | undefined)[] = []
    control.script.build = async (_definition, { force }) => (forced.push(force), 'f'.repeat(64))
    await built()
    await built({ environments: environments.map((environment) => ({ ...environment, force: true })) })
    expect(forced).toEqual([false, true])
  })

  test("fails with the resolver's own words", async () => {
    control.script.build = async () => {
      throw new CarrickError('build_failed', 'No solution found: no version of nothing==99')
    }
    expect(await errorOf(built())).toMatchObject({
      code: Code.InvalidArgument,
      rawMessage: 'No solution found: no version of nothing==99',
    })
  })

  test('is told when its client goes away', async () => {
    const told = Promise.withResolvers<void>()
    control.script.build = async (_definition, { signal }) => {
      signal.addEventListener('abort', () => told.resolve())
      await told.promise
      throw new Error('stopped')
    }
    const away = new AbortController()
    const stream = control.client().buildEnvironment({ environments }, { signal: away.signal })[Symbol.asyncIterator]()
    const first = errorOf(stream.next())
    away.abort()
    await first
  })
})

describe('an app', () => {
  test('is listed with all of its live settings, and no limit where there is none', async () => {
    const revision = await deploy('hello', { machineTypes: ['S'], validRegions: ['us-east'], requestTimeout: 9 })
    const { aliases } = await control.client().listAliases({})
    expect(aliases).toMatchObject([
      {
        alias: 'hello',
        revision,
        authMode: ApplicationAuthMode.PRIVATE,
        environmentName: 'main',
        isRolling: false,
        activeRunners: 0,
        minConcurrency: 0,
        maxConcurrency: 2,
        maxMultiplexing: 1,
        keepAlive: 10,
        machineTypes: ['S'],
        validRegions: ['us-east'],
        requestTimeout: 9,
        startupTimeout: 600,
        concurrencyBuffer: 0,
        concurrencyBufferPerc: 0,
        scalingDelaySeconds: 0,
      },
    ])
    expect(aliases[0]?.requestStartTimeout).toBeUndefined()
  })

  test('counts the runners that serve or finish', async () => {
    await deploy('hello')
    const appId = control.apps.find('ann', 'hello')?.app.id ?? ''
    control.script.runners = (['idle', 'running', 'draining', 'pending', 'setup'] as const).map((state) =>
      testRunner({ id: state, appId, state }),
    )
    expect((await control.client().listAliases({})).aliases).toMatchObject([{ activeRunners: 3 }])
  })

  test('is scaled by what is named; 0 takes the start limit away', async () => {
    await deploy('hello')
    const scale = control.client().updateApplication
    const set = await scale({ applicationName: 'hello', keepAlive: 0, requestStartTimeout: 30, machineTypes: ['M'] })
    expect(set.aliasInfo).toMatchObject({
      keepAlive: 0,
      requestStartTimeout: 30,
      machineTypes: ['M'],
      maxConcurrency: 2,
    })
    const cleared = await scale({ applicationName: 'hello', requestStartTimeout: 0 })
    expect(cleared.aliasInfo?.requestStartTimeout).toBeUndefined()
    expect(cleared.aliasInfo).toMatchObject({ keepAlive: 0, machineTypes: ['M'] })
  })

  test('keeps its settings when those that are asked for are impossible', async () => {
    await deploy('hello')
    const scaled = control.client().updateApplication({ applicationName: 'hello', minConcurrency: 9 })
    expect(await errorOf(scaled)).toMatchObject({ code: Code.InvalidArgument })
    expect((await control.client().listAliases({})).aliases).toMatchObject([{ minConcurrency: 0 }])
  })

  test('takes settings named at the same time, all of them', async () => {
    await deploy('hello')
    const { updateApplication } = control.client()
    await Promise.all([
      updateApplication({ applicationName: 'hello', keepAlive: 1 }),
      updateApplication({ applicationName: 'hello', maxConcurrency: 7 }),
      updateApplication({ applicationName: 'hello', scalingDelaySeconds: 3 }),
    ])
    expect((await control.client().listAliases({})).aliases).toMatchObject([
      { keepAlive: 1, maxConcurrency: 7, scalingDelaySeconds: 3 },
    ])
  })

  test('is deleted once, and its name is free', async () => {
    const revision = await deploy('hello')
    expect(await control.client().deleteAlias({ alias: 'hello' })).toMatchObject({ revision })
    expect(await errorOf(control.client().deleteAlias({ alias: 'hello' }))).toMatchObject({
      code: Code.NotFound,
      rawMessage: expect.stringContaining('not found'),
    })
    expect((await control.client().listAliases({})).aliases).toEqual([])
    expect(await deploy('hello')).not.toBe(revision)
  })

  test("is not there for somebody else's key", async () => {
    const revision = await deploy('hello')
    const bob = control.client(control.keys.bob)
    for (const work of [
      () => bob.deleteAlias({ alias: 'hello' }),
      () => bob.updateApplication({ applicationName: 'hello' }),
      () => bob.listApplications({ applicationName: 'hello' }),
      () => bob.listAliasRunners({ alias: 'hello' }),
      () => bob.setAlias({ alias: 'hello', revision }),
    ]) {
      expect(await errorOf(work())).toMatchObject({ code: Code.NotFound })
    }
    expect((await bob.listAliases({})).aliases).toEqual([])
  })
})

describe('a revision', () => {
  test('is listed newest first, with the settings of its code', async () => {
    const before = control.clock.now()
    const first = await deploy('hello', { keepAlive: 1 })
    const second = await deploy('hello', { keepAlive: 2 })
    await deploy('other')
    const { applications } = await control.client().listApplications({ applicationName: 'hello' })
    expect(applications).toMatchObject([
      { applicationId: second, keepAlive: 2, environmentName: 'main' },
      { applicationId: first, keepAlive: 1 },
    ])
    for (const { createdAt } of applications) expect(createdAt && timestampMs(createdAt)).toBeGreaterThanOrEqual(before)
    expect((await control.client().listApplications({})).applications).toHaveLength(3)
  })

  test('is gone back to at once, keeping what is tuned and taking what is its own', async () => {
    const first = await deploy('hello', { maxMultiplexing: 8 })
    await deploy('hello', { maxMultiplexing: 2 })
    await control.client().updateApplication({ applicationName: 'hello', keepAlive: 99 })
    const back = { alias: 'hello', revision: first, deploymentStrategy: RECREATE, authMode: ApplicationAuthMode.PUBLIC }
    expect((await control.client().setAlias(back)).aliasInfo).toMatchObject({
      revision: first,
      maxMultiplexing: 8,
      keepAlive: 99,
      authMode: ApplicationAuthMode.PUBLIC,
    })
  })

  test('is gone back to when its first runner is healthy, unless something else is asked for', async () => {
    const first = await deploy('hello')
    const second = await deploy('hello')
    const back = control.client().setAlias({ alias: 'hello', revision: first })
    const app = await vi.waitFor(() => {
      const found = control.apps.find('ann', 'hello')?.app
      if (found?.rollingRevisionId !== first) throw new Error('nothing is rolling yet')
      return found
    }, 10_000)
    expect((await control.client().listAliases({})).aliases).toMatchObject([{ revision: second, isRolling: true }])
    await control.store.commit(switchRevision(app.id, first, undefined, control.clock.now()))
    expect((await back).aliasInfo).toMatchObject({ revision: first, isRolling: false })
  })

  test('that is active already only changes its auth mode', async () => {
    const revision = await deploy('hello')
    const same = { alias: 'hello', revision, deploymentStrategy: ROLLING, authMode: ApplicationAuthMode.SHARED }
    expect((await control.client().setAlias(same)).aliasInfo).toMatchObject({
      revision,
      isRolling: false,
      authMode: ApplicationAuthMode.SHARED,
    })
  })

  test('of an app that is not there is no wonder: the app is what was not found', async () => {
    const revision = await deploy('hello')
    const error = await errorOf(control.client().setAlias({ alias: 'nope', revision }))
    expect(error).toMatchObject({ rawMessage: expect.stringContaining('Application "nope" not found') })
  })

  test('is deleted unless calls go to it, and its runners end', async () => {
    const first = await deploy('hello')
    const second = await deploy('hello')
    const app = control.apps.find('ann', 'hello')?.app
    control.script.runners = [
      testRunner({ id: 'old', revisionId: first, appId: app?.id ?? '' }),
      testRunner({ id: 'new', revisionId: second, appId: app?.id ?? '' }),
    ]
    expect(await errorOf(control.client().deleteApplication({ applicationId: second }))).toMatchObject({
      code: Code.FailedPrecondition,
      rawMessage: expect.stringContaining('of "hello" is the active one, so it was not deleted'),
    })
    await control.client().deleteApplication({ applicationId: first })
    expect(control.script.asked).toEqual(['stop old'])
    expect((await control.client().listApplications({})).applications).toMatchObject([{ applicationId: second }])
    for (const gone of [first, 'nope']) {
      const again = await errorOf(control.client().deleteApplication({ applicationId: gone }))
      expect(again).toMatchObject({ code: Code.NotFound, rawMessage: expect.stringContaining(`"${gone}" not found`) })
    }
    const back = await errorOf(control.client().setAlias({ alias: 'hello', revision: first }))
    expect(back).toMatchObject({ code: Code.InvalidArgument })
  })

  test('of somebody else is not found, and stays', async () => {
    const first = await deploy('hello')
    await deploy('hello')
    const refused = await errorOf(control.client(control.keys.bob).deleteApplication({ applicationId: first }))
    expect(refused).toMatchObject({ code: Code.NotFound })
    expect((await control.client().listApplications({})).applications).toHaveLength(2)
  })

  test('must be one of this app', async () => {
    await deploy('hello')
    const other = await deploy('other')
    for (const revision of [other, 'nope']) {
      expect(await errorOf(control.client().setAlias({ alias: 'hello', revision }))).toMatchObject({
        code: Code.InvalidArgument,
        rawMessage: expect.stringContaining(`"${revision}" of "hello" not found`),
      })
    }
  })
})

describe('a runner', () => {
  test('is listed with all that is known of it', async () => {
    control.script.runners = [
      testRunner({
        state: 'running',
        inFlight: 1,
        requests: [{ id: 'request-1', since: 2_500 }],
        uptimeSeconds: 1.5,
        replacement: 'will',
      }),
      testRunner({ id: 'runner-2', state: 'crash_backoff', expiresInSeconds: 2.1 }),
    ]
    const { runners } = await control.client().listRunners({ listPending: true })
    expect(runners).toMatchObject([
      {
        runnerId: 'runner-1',
        alias: 'hello',
        revision: 'revision-1',
        state: RunnerInfo_State.RUNNING,
        inFlightRequests: 1,
        uptime: 1.5,
        externalMetadata: { leases: [{ request_id: 'request-1', leased_at_epoch: 2.5 }] },
        replacement: 1,
        machineType: 'S',
      },
      { runnerId: 'runner-2', state: RunnerInfo_State.FAILURE_DELAY, expirationCountdown: 3 },
    ])
    expect(runners[0]?.expirationCountdown).toBeUndefined()
  })

  test('that does not serve yet, or that ended, is listed when asked for', async () => {
    control.script.runners = (['idle', 'setup', 'terminated'] as const).map((state) => testRunner({ id: state, state }))
    const listed = async (request: object) =>
      (await control.client().listRunners(request)).runners.map(({ runnerId }) => runnerId)
    expect(await listed({ listPending: false })).toEqual(['idle'])
    expect(await listed({ listPending: true })).toEqual(['idle', 'setup'])
    const startTime = timestampFromMs(control.clock.now() - 60_000)
    expect(await listed({ listPending: true, startTime })).toEqual(['idle', 'setup', 'terminated'])
  })

  test('of an app is listed with that app', async () => {
    await deploy('hello')
    const appId = control.apps.find('ann', 'hello')?.app.id ?? ''
    control.script.runners = [testRunner({ appId }), testRunner({ id: 'runner-2', appId: 'another' })]
    const { runners } = await control.client().listAliasRunners({ alias: 'hello' })
    expect(runners).toMatchObject([{ runnerId: 'runner-1' }])
  })

  test('is stopped and killed', async () => {
    control.script.runners = [testRunner()]
    await control.client().stopRunner({ runnerId: 'runner-1' })
    await control.client().stopRunner({ runnerId: 'runner-1', replaceFirst: true })
    await control.client().killRunner({ runnerId: 'runner-1' })
    expect(control.script.asked).toEqual(['stop runner-1', 'stop runner-1 replaced', 'kill runner-1'])
  })

  test('a rollout replaces those of its app that serve, and by force kills them', async () => {
    const revisionId = await deploy('hello')
    const appId = control.apps.find('ann', 'hello')!.app.id
    control.script.runners = [
      testRunner({ id: 'mine', appId, revisionId }),
      testRunner({ id: 'pending', appId, revisionId, state: 'pending' }),
      testRunner({ id: 'by name', appId: 'named', revisionId }),
      testRunner({ id: 'of another app' }),
    ]
    const { scale } = control.apps.find('ann', 'hello')!.app
    await control.store.commit(addNamedRevision({ id: 'named', name: `hello@${revisionId}`, scale }, revisionId, 1))
    await control.apps.refresh()
    await control.client().rolloutApplication({ applicationName: 'hello' })
    await control.client().rolloutApplication({ applicationName: 'hello', force: true })
    expect(control.script.asked).toEqual(['stop mine replaced', 'stop by name replaced', 'kill mine', 'kill by name'])
  })

  test('that is not there, or has ended, is not found', async () => {
    control.script.runners = [testRunner({ state: 'terminated' })]
    for (const runnerId of ['runner-1', 'nope']) {
      const wanted = { code: Code.NotFound, rawMessage: expect.stringContaining(`"${runnerId}" not found`) }
      expect(await errorOf(control.client().stopRunner({ runnerId }))).toMatchObject(wanted)
      expect(await errorOf(control.client().killRunner({ runnerId }))).toMatchObject(wanted)
    }
    expect(control.script.asked).toEqual([])
  })
})

describe('the door', () => {
  test('names what it does not serve', async () => {
    const first = control.client().map({})[Symbol.asyncIterator]().next()
    expect(await errorOf(first)).toMatchObject({ code: Code.Unimplemented, rawMessage: expect.stringContaining('Map') })
  })

  test('refuses a message beyond the limit', async () => {
    await using small = await openTestControl({ messageLimit: 1_000 })
    const big = small.client().listAliases({ environmentName: 'x'.repeat(5_000) })
    expect(await errorOf(big)).toMatchObject({ code: Code.ResourceExhausted })
  })

  test('keeps nothing that a stranger sends, however large', async () => {
    const big = control.client(null).listAliases({ environmentName: 'x'.repeat(5_000_000) })
    expect(await errorOf(big)).toMatchObject({ code: Code.Unauthenticated })
  })

  test('says so when the server is shutting down', async () => {
    await using draining = await openTestControl({ isDraining: () => true })
    expect(await errorOf(draining.client().listAliases({}))).toMatchObject({
      code: Code.Aborted,
      rawMessage: expect.stringContaining('shutting down'),
    })
  })
})

describe('over REST', () => {
  test('a key tells whose it is', async () => {
    expect(await control.rest('/users/current')).toEqual({
      status: 200,
      body: { user_id: 'account-ann', nickname: 'ann', full_name: 'ann', is_personal: true, is_locked: false },
    })
  })

  test('a restricted key is refused in the words that the stock client knows', async () => {
    const { keyId, secret } = await control.keyring.mint('account-ann', ['apps:call'], 'narrow')
    const { status, body } = await control.rest('/users/current', { key: `${keyId}:${secret}` })
    expect(status).toBe(403)
    expect(body).toMatchObject({ detail: expect.stringContaining('Insufficient permissions') })
  })

  test('a runner has a window, and only for its owner', async () => {
    await deploy('hello')
    const {
      id: appId,
      accountId,
      revisionId = '',
    } = control.apps.find('ann', 'hello')?.app ?? { id: '', accountId: '' }
    const identity = { id: 'runner-1', appId, accountId, revisionId, machineType: 'S', createdAt: 1_000 }
    await control.store.commit(addRunner({ ...identity, state: 'pending', startAt: 1_000 }))
    expect(await control.rest('/runners/runner-1')).toEqual({
      status: 200,
      body: { started_at: '1970-01-01T00:00:01.000Z', ended_at: null },
    })
    expect(await control.rest('/runners/runner-1', { key: control.keys.bob })).toMatchObject({ status: 404 })
    expect(await control.rest('/runners/nope')).toMatchObject({
      status: 404,
      body: { detail: expect.stringContaining('not found') },
    })
  })

  test('log history comes in pages, newest first, and tells where the next one begins', async () => {
    const now = control.clock.now()
    const common = { source: 'user', level: 'stdout', accountId: 'account-ann', runnerId: 'runner-1' } as const
    for (const at of [5, 4, 4, 3, 2, 1]) control.logs.append({ ...common, at: now - at, message: `line ${at}` })
    const since = encodeURIComponent(new Date(now - 60_000).toISOString().replace('Z', '+00:00'))
    const seen: string[] = []
    let until = ''
    do {
      const path = `/logs/history?job_id=runner-1&search=&since=${since}&until=${encodeURIComponent(until)}&page_size=3`
      const { status, body } = await control.rest(path, { method: 'POST' })
      expect(status).toBe(200)
      const page = body as { items: { message: string; level: string }[]; next_until: string | null }
      expect(page.items.every(({ level }) => level === 'STDOUT')).toBe(true)
      seen.push(...page.items.map(({ message }) => message))
      until = page.next_until ?? ''
    } while (until !== '')
    expect(seen).toEqual(['line 1', 'line 2', 'line 3', 'line 4', 'line 4', 'line 5'])
  })

  test("nobody reads somebody else's log lines", async () => {
    const line = { at: control.clock.now(), source: 'user', level: 'stdout', accountId: 'account-ann' } as const
    control.logs.append({ ...line, message: 'private', runnerId: 'runner-1' })
    const path = '/logs/history?job_id=runner-1'
    expect(await control.rest(path, { method: 'POST', key: control.keys.bob })).toMatchObject({ body: { items: [] } })
  })

  test('a moment that is none is refused with its name', async () => {
    expect(await control.rest('/logs/history?since=yesterday', { method: 'POST' })).toMatchObject({
      status: 400,
      body: { detail: expect.stringContaining('since') },
    })
  })

  test('an app shows what its deploy said about it', async () => {
    await deploy('hello')
    expect(await control.rest('/applications/ann/hello/metadata')).toEqual({ status: 200, body: {} })
    expect(await control.rest('/applications/ann/nope/metadata')).toMatchObject({ status: 404 })
    expect(await control.rest('/applications/ann/hello/metadata', { key: control.keys.bob })).toMatchObject({
      status: 404,
    })
  })

  test('the status counts what is there', async () => {
    await deploy('hello')
    expect(await control.rest('/v1/status')).toMatchObject({
      status: 200,
      body: {
        version: '0.0.0',
        backend: 'process',
        apps: 1,
        runners: 0,
        queued: 0,
        running: 0,
        confinement: [{ part: 'memory' }],
      },
    })
  })

  test('the status counts what waits for its next attempt', async () => {
    const revision = await deploy('hello')
    const appId = [...control.apps.all()].find(({ active }) => active?.id === revision)!.app.id
    const ofApp = { id: 'request', appId, seq: 1, priority: 'normal', acceptedAt: control.clock.now() } as const
    const retry = { forbidden: false, budgets: {} }
    control.deps.homes.of(appId).admit({ ...ofApp, attempt: 1, dueAt: control.clock.now() + 60_000, retry, used: {} })
    expect(await control.rest('/v1/status')).toMatchObject({ body: { queued: 1, running: 0 } })
  })

  test('an address that is not served says so', async () => {
    expect(await control.rest('/nothing/here')).toEqual({
      status: 404,
      body: { detail: 'GET /nothing/here not found: this server serves no such address' },
    })
  })
})
