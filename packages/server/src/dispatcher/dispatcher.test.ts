import { mkdtemp, readdir, readlink, rm } from 'node:fs/promises'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openLocalBlobs } from '../blobs/local-blobs.ts'
import { CarrickError } from '../domain/errors.ts'
import { queueDefaults } from '../domain/queue-settings.ts'
import { createCaller } from '../calls/undici-caller.ts'
import type { NewRequest, RequestPayload, StoredBody } from '../domain/request.ts'
import type { RetryBudgets } from '../domain/revision.ts'
import { createHomes } from '../home/memory-home.ts'
import { createApps } from '../home/store-apps.ts'
import { silent } from '../kit/logger.ts'
import { deleteApp, queueOfApp, updateQueue } from '../store/apps.ts'
import { registerRevision } from '../store/next-revisions.ts'
import { resultOf } from '../store/bodies.ts'
import { attemptsOf, listedRequestById } from '../store/request-lists.ts'
import { acceptRequest, requestById, requestCancel } from '../store/requests.ts'
import type { Store } from '../store/store.ts'
import { timelineOf } from '../store/timelines.ts'
import { manualClock } from '../testing/clock.ts'
import { openTestRunner, textOf } from '../testing/runner.ts'
import { addTestAccount, openTestStore } from '../testing/store.ts'
import { cancelledOutcome } from '../domain/outcome.ts'
import { longestBackOffMs } from '../domain/retry.ts'
import type { Exceeded } from '../domain/runner.ts'
import { startDispatcher } from './dispatcher.ts'

const start = 1_800_000_000_000
const scale = {
  keep_alive: 10,
  min_concurrency: 0,
  max_concurrency: 10,
  concurrency_buffer: 0,
  concurrency_buffer_perc: 0,
  scaling_delay: 0,
  request_timeout: 60,
  valid_regions: [],
  max_multiplexing: 1,
  startup_timeout: 60,
  machine_types: ['XS'],
}
const spec = {
  environment: { kind: 'virtualenv' as const, pythonVersion: '3.11', layers: [], compileBytecode: false },
  environmentId: '0',
  callable: { method: 'dill', blob: '0' },
  scale,
  terminationGracePeriodSeconds: 5,
  skipRetryConditions: [],
  privateLogs: false,
  metadata: {},
}

interface Options {
  readonly requestTimeout?: number
  readonly retryBudgets?: RetryBudgets
  readonly resultBytes?: number
  readonly exceeded?: Exceeded
}

/** A store with the app `ann/hello`, and what a dispatcher needs around it. Time moves by hand. */
async function openWorld({ requestTimeout = 60, retryBudgets = {}, resultBytes = 1_000_000, exceeded }: Options = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'carrick-dispatcher-'))
  const disk: TestDisk = { full: false, refused: 0, busyReads: 0 }
  const store = onDisk(await openTestStore(), disk)
  await addTestAccount(store, { id: 'account', nickname: 'ann' })
  const live = { ...scale, request_timeout: requestTimeout }
  await store.commit(
    registerRevision(
      { id: 'app', accountId: 'account', name: 'hello', environment: 'main' },
      { ...spec, retryBudgets },
      { revisionId: 'revision', strategy: 'recreate', scale: live, basedOn: live, authMode: 'private', now: start },
    ),
  )
  const clock = manualClock(start)
  const blobs = await openLocalBlobs({ folder: join(folder, 'blobs') })
  const caller = createCaller()
  onTestFinished(async () => {
    await caller.close()
    await store.close()
    await rm(folder, { recursive: true, force: true })
  })
  return { store, disk, clock, blobs, blobFolder: join(folder, 'blobs'), caller, ...(await openPlatform()) }

  /** What one process holds in memory: opening it again is a restart. */
  async function openPlatform() {
    const apps = await createApps(store)
    const homes = createHomes({ clock, apps, limits: { waitingCallers: 10 } })
    const verdicts: [runner: string, verdict: string, reason: string][] = []
    const dispatcher = startDispatcher({
      store,
      homes,
      apps,
      caller,
      blobs,
      clock,
      log: silent,
      random: () => 0.5,
      limits: { resultBytes, connectTimeoutMs: 5_000 },
      onRunnerVerdict: (...verdict) => void verdicts.push(verdict),
      whatExceeded: async () => exceeded,
    })
    onTestFinished(() => dispatcher.stop({ graceMs: 0 }))
    const home = homes.of('app')
    const runners: { id: string; revisionId: string; address: { host: string; port: number } }[] = []

    return {
      home,
      homes,
      dispatcher,
      verdicts,
      restart: openPlatform,
      async addRunner(handler: RequestListener) {
        const runner = await openTestRunner(handler)
        onTestFinished(() => runner[Symbol.asyncDispose]())
        runners.push({ id: `runner-${runners.length + 1}`, revisionId: 'revision', address: runner.address })
        home.setRunners(runners)
        return runner
      },
      async submit(id: string, more: Partial<NewRequest> = {}, content: Partial<RequestPayload> = {}) {
        const request = newRequest(id, more, content)
        using slot = homes.of('app').reserve(id)
        const startedAt = clock.now()
        const seq = await store.commit(acceptRequest(request, slot && { runnerId: slot.runnerId, now: startedAt }))
        const started = slot && { slot: slot.keep(), startedAt, payload: request.payload }
        homes.of('app').admit({ ...request, seq, attempt: started ? 1 : 0, dueAt: 0, used: {} }, started)
      },
      /** Its stored end, with all waiting for retries skipped. */
      async outcome(id: string) {
        await expect
          .poll(async () => {
            clock.advance(100_000)
            dispatcher.wake()
            return (await store.read(requestById(id)))?.state
          }, patient)
          .toBe('completed')
        const request = await store.read(requestById(id))
        const result = await store.read(resultOf(id))
        // What memory says of it, if anything, is what is stored: as soon as the commit was answered, which the read may be ahead of.
        await expect.poll(() => homes.latest.find(id)?.request.state, patient).not.toBe('running')
        const latest = homes.latest.find(id)
        const { cancelRequestedAt: _, ...stored } = request!
        if (latest) expect(latest.request).toEqual(stored)
        if (latest) expect({ ...latest.result, body: plain(latest.result) }).toEqual({ ...result, body: plain(result) })
        return { ...request!, headers: result!.headers, body: result!.body, text: textIn(result!.body) }
      },
      stateOf: async (id: string) => (await store.read(requestById(id)))?.state,
    }
  }
}

test('the time of a request is told by its attempts, also after a restart', async () => {
  const world = await openWorld()
  const { held, handler } = holding()
  await world.addRunner((request, response) =>
    request.headers['x-carrick-attempt'] === '1' ? hangUp(request, response) : handler(request, response),
  )
  await world.submit('timed')
  await expect.poll(() => world.stateOf('timed'), patient).toBe('waiting')
  const restarted = await world.restart()
  await restarted.dispatcher.recover()
  await restarted.addRunner(handler)
  world.clock.advance(60_000)
  restarted.dispatcher.wake()
  const answer = await held
  world.clock.advance(5_000)
  answer.end('ok')
  await expect.poll(() => world.stateOf('timed'), patient).toBe('completed')
  const { durations, attempts, totalMs } = (await timelineOf(world.store, 'timed', world.clock.now()))!
  expect(totalMs).toBe(65_000)
  expect(durations.running).toBe(5_000)
  expect(durations.backing_off + durations.queued).toBe(60_000)
  expect(durations.backing_off).toBeGreaterThan(0)
  expect(attempts).toMatchObject([{ failedAs: 'runner_disconnected' }, { durations: { running: 5_000 } }])
})

type World = Awaited<ReturnType<typeof openWorld>>

interface TestDisk {
  full: boolean
  refused: number
  busyReads: number
  beforeCommit?: () => Promise<void>
  /** What happens before a page of the past is read. */
  beforePage?: () => Promise<void>
}

/** The real store on a disk that may be full, or busy. */
function onDisk(store: Store, disk: TestDisk): Store {
  return {
    commit: async (write) => {
      await disk.beforeCommit?.()
      if (!disk.full) return await store.commit(write)
      disk.refused += 1
      throw new CarrickError('disk_full', 'No room is left on the disk')
    },
    read: async (query) => {
      if (query.statement.text.includes('due_at, start_by')) await disk.beforePage?.()
      const isPayload = query.statement.text.includes('from request_body')
      if (!isPayload || disk.busyReads === 0) return await store.read(query)
      disk.busyReads -= 1
      throw new CarrickError('too_busy', 'Too many reads are waiting already')
    },
    onChange: (topic, listener) => store.onChange(topic, listener),
    close: () => store.close(),
  }
}

const patient = { timeout: 30_000, interval: 10 }

function newRequest(id: string, more: Partial<NewRequest>, content: Partial<RequestPayload>): NewRequest {
  const body = { inline: Buffer.from('question') }
  const payload = { method: 'POST', path: '/generate?x=1', headers: [], body, callerId: 'caller', ...content }
  const retry = { forbidden: false, budgets: {} }
  return { id, appId: 'app', priority: 'normal', acceptedAt: start, retry, payload, ...more }
}

/** A body as bytes of one kind, whoever made them. */
const plain = (result: { readonly body: StoredBody } | undefined) =>
  result && 'inline' in result.body ? Uint8Array.from(result.body.inline) : result?.body

const textIn = (body: object): string =>
  'inline' in body && body.inline instanceof Uint8Array ? Buffer.from(body.inline).toString() : ''
const once = { retry: { forbidden: true, budgets: {} } }
const ok: RequestListener = (_, response) => void response.end('ok')

/** Breaks the connection in the middle of an answer. */
function breakOff(_: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { 'content-length': '100' })
  response.write('half', () => response.destroy())
}

/** A runner that answers calls to stop, and holds the request itself until the test ends it. */
function holding() {
  const { promise: held, resolve } = Promise.withResolvers<ServerResponse>()
  const asked: unknown[] = []
  const handler: RequestListener = (request, response) => {
    if (!request.url?.endsWith('/cancel')) return resolve(response)
    asked.push([request.method, request.url, request.headers['x-fal-request-id']])
    response.end()
  }
  return { held, asked, handler }
}

/** Those of this process. */
async function filesOpenIn(folder: string): Promise<readonly string[]> {
  const names = await readdir('/proc/self/fd')
  const files = await Promise.all(names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => '')))
  return files.filter((file) => file.startsWith(folder))
}

const hangUp: RequestListener = (request) => void request.socket.destroy()

describe('a request', () => {
  test.each(['before', 'after'])('that came %s its runner gets the answer of the app, whole', async (when) => {
    const world = await openWorld()
    const seen: unknown[] = []
    const handler: RequestListener = async (request, response) => {
      seen.push([
        request.method,
        request.url,
        await textOf(request),
        request.headers['x-fal-endpoint'],
        request.headers['x-own'],
      ])
      response.writeHead(422, { 'content-type': 'application/json', 'x-fal-stop-runner': '0' }).end('{"detail":[]}')
    }
    if (when === 'before') await world.submit('a', {}, { headers: [['x-own', 'é']] })
    await world.addRunner(handler)
    if (when === 'after') await world.submit('a', {}, { headers: [['x-own', 'é']] })
    const outcome = await world.outcome('a')
    expect(outcome).toMatchObject({ status: 422, attempt: 1, runnerId: 'runner-1', text: '{"detail":[]}' })
    expect(outcome.error).toBeUndefined()
    expect(outcome.headers).toEqual(
      expect.arrayContaining([
        ['content-type', 'application/json'],
        ['x-fal-request-id', 'a'],
        ['x-fal-served-from', 'runner-1'],
      ]),
    )
    expect(outcome.headers.some(([name]) => name === 'x-fal-stop-runner')).toBe(false)
    expect(seen).toEqual([['POST', '/generate?x=1', 'question', 'ann/hello/generate', 'é']])
    expect(world.home.load()).toMatchObject({ waiting: 0, running: 0 })
  })

  test('and its answer may be large: then both are blobs', async () => {
    const world = await openWorld()
    const large = Buffer.alloc(300_000, 'x')
    await world.addRunner((request, response) => void request.pipe(response))
    const { key, length } = await world.blobs.put(large)
    await world.submit('a', {}, { body: { blob: key, length } })
    const { body } = await world.outcome('a')
    if (!('blob' in body)) throw new Error('the answer is not a blob')
    expect(await buffer(await world.blobs.open(body.blob))).toEqual(large)
  })

  test('whose answer is larger than the bound is told so, and is not tried again', async () => {
    const world = await openWorld({ resultBytes: 100_000 })
    await world.addRunner((_, response) => void response.end(Buffer.alloc(1_000_000)))
    await world.submit('a')
    expect(await world.outcome('a')).toMatchObject({ status: 413, attempt: 1, error: { code: 'body_too_large' } })
    expect(world.verdicts).toEqual([])
  })

  test('whose answer cannot be stored for a reason of ours is told so, and the runner stays', async () => {
    const world = await openWorld()
    await world.addRunner((_, response) => void response.end(Buffer.alloc(300_000)))
    await rm(join(world.blobFolder, 'incoming'), { recursive: true })
    await world.submit('a')
    expect(await world.outcome('a')).toMatchObject({ status: 500, attempt: 1, error: { code: 'internal_error' } })
    expect(world.verdicts).toEqual([])
    expect(world.home.load()).toMatchObject({ waiting: 0, running: 0 })
  })

  test('whose body is lost is told so, and the runner stays', async () => {
    const world = await openWorld()
    await world.addRunner((request, response) => void request.pipe(response))
    await world.submit('a', {}, { body: { blob: '0'.repeat(64), length: 100_000 } })
    expect(await world.outcome('a')).toMatchObject({ status: 500, attempt: 1, error: { code: 'internal_error' } })
    expect(world.verdicts).toEqual([])
  })

  test('whose body cannot be read at once, because too many read, runs all the same', async () => {
    const world = await openWorld()
    await world.submit('a')
    world.disk.busyReads = 2
    await world.addRunner(ok)
    expect(await world.outcome('a')).toMatchObject({ status: 200, attempt: 1, text: 'ok' })
  })

  test('that cannot start in time ends as 504 and says whose limit it was', async () => {
    const world = await openWorld()
    await world.submit('a', { startBy: start + 1_000 })
    const outcome = await world.outcome('a')
    expect(outcome).toMatchObject({ status: 504, attempt: 0, error: { code: 'request_timeout' } })
    expect(outcome.headers).toContainEqual(['x-fal-request-timeout-type', 'user'])
  })

  test('of an app that is deleted ends, and takes nothing with it', async () => {
    const world = await openWorld()
    await world.submit('a')
    await world.submit('b')
    await world.store.commit(deleteApp('app', start))
    expect(await world.outcome('a')).toMatchObject({ status: 404, error: { code: 'app_not_found' } })
    expect(await world.outcome('b')).toMatchObject({ status: 404 })
    expect(world.home.queueLength).toBe(0)
  })

  test('of an app that is deleted leaves nothing in memory', async () => {
    const world = await openWorld()
    await world.submit('a')
    expect([...world.homes.all()]).toHaveLength(1)
    await world.store.commit(deleteApp('app', start))
    await world.outcome('a')
    expect([...world.homes.all()]).toEqual([])
    await world.submit('b')
    expect(await world.outcome('b')).toMatchObject({ status: 404 })
  })
})

describe('an attempt that fails', () => {
  test('is on record with how it failed, and the request that has had its last one is a dead letter', async () => {
    const world = await openWorld()
    await world.addRunner(hangUp)
    await world.addRunner(hangUp)
    await world.submit('a', { retry: { forbidden: false, budgets: { connection_error: 1 } } })
    expect(await world.outcome('a')).toMatchObject({ status: 503, attempt: 2, error: { code: 'runner_disconnected' } })
    expect(await world.store.read(listedRequestById('a'))).toMatchObject({ dead: true })
    expect(await world.store.read(attemptsOf('a'))).toMatchObject([
      { number: 1, failedStatus: 503, failedCode: 'runner_disconnected' },
      { number: 2 },
    ])
  })

  test.each<[what: string, RequestListener, verdict: string, reason: string]>([
    ['by breaking off in its answer', breakOff, 'terminate', 'crash'],
    ['by hanging up', hangUp, 'terminate', 'crash'],
    ['with 503', (_, response) => void response.writeHead(503).end(), 'terminate', 'app_requested'],
    ['with 504', (_, response) => void response.writeHead(504).end(), 'check', 'health_check'],
    ['by running too long', () => {}, 'terminate', 'request_timeout'],
  ])('%s is followed by one on another runner', async (_, handler, verdict, reason) => {
    const world = await openWorld({ requestTimeout: 0.2 })
    await world.addRunner(handler)
    await world.addRunner(ok)
    await world.submit('a')
    expect(await world.outcome('a')).toMatchObject({ status: 200, attempt: 2, runnerId: 'runner-2', text: 'ok' })
    expect(world.verdicts).toEqual([['runner-1', verdict, reason]])
  })

  test('because the runner is gone is followed by another, and the runner gets nothing more', async () => {
    const world = await openWorld()
    const gone = await world.addRunner(ok)
    await gone[Symbol.asyncDispose]()
    await world.addRunner(ok)
    await world.submit('a')
    expect(await world.outcome('a')).toMatchObject({ status: 200, attempt: 2, runnerId: 'runner-2' })
    for (const id of ['b', 'c']) await world.submit(id)
    for (const id of ['b', 'c']) expect(await world.outcome(id)).toMatchObject({ attempt: 1, runnerId: 'runner-2' })
  })

  test.each<[Exceeded, words: string]>([
    ['oom', 'it used more memory than its machine type has (oom)'],
    ['pids', 'it wanted more processes and threads than a runner may have (pids)'],
    ['disk', 'it wrote more into its own files than a runner may keep (disk)'],
  ])('tells the caller that its runner ended as %s', async (exceeded, words) => {
    const world = await openWorld({ exceeded })
    await world.addRunner(hangUp)
    await world.submit('a', once)
    const { error, text } = await world.outcome('a')
    expect(error).toEqual({ code: 'runner_disconnected', message: expect.stringContaining(words) })
    expect(text).toContain(words)
  })

  test.each<[what: string, RequestListener, status: number, code: string | undefined]>([
    ['breaking off', breakOff, 502, 'runner_incomplete_response'],
    ['hanging up', hangUp, 503, 'runner_disconnected'],
    ['503', (_, response) => void response.writeHead(503).end('busy'), 503, undefined],
    ['running too long', () => {}, 504, 'request_timeout'],
  ])('by %s is the last one of a request that forbids retries', async (_, handler, status, code) => {
    const world = await openWorld({ requestTimeout: 0.2 })
    await world.addRunner(handler)
    await world.addRunner(ok)
    await world.submit('a', once)
    const outcome = await world.outcome('a')
    expect(outcome).toMatchObject({ status, attempt: 1 })
    expect(outcome.error?.code).toBe(code)
    if (code === undefined) expect(outcome.text).toBe('busy')
    else expect(JSON.parse(outcome.text)).toMatchObject({ error_type: code })
  })

  test.each<[how: string, handler: RequestListener]>([
    ['is hung up on', hangUp],
    ['is answered before it was read', (_, response) => void response.writeHead(413).end()],
    ['is never read', () => {}],
    ['is refused', ok],
  ])('whose body %s leaves no file open', async (how, handler) => {
    const world = await openWorld({ requestTimeout: 0.5 })
    const { key, length } = await world.blobs.put(Buffer.alloc(5_000_000))
    const runner = await world.addRunner(handler)
    if (how === 'is refused') await runner[Symbol.asyncDispose]()
    await world.submit('a', once, { body: { blob: key, length } })
    expect(await world.outcome('a')).toMatchObject({ attempt: 1 })
    await expect.poll(() => filesOpenIn(world.blobFolder), patient).toEqual([])
  })

  test('ten times ends the request with the last answer', async () => {
    const world = await openWorld()
    let calls = 0
    await world.addRunner(
      (_, response) => void response.writeHead(503, { 'x-fal-stop-runner': '0' }).end(String(++calls)),
    )
    await world.submit('a')
    expect(await world.outcome('a')).toMatchObject({ status: 503, attempt: 10, text: '10' })
  })

  test('as often as the budget of the app allows ends it earlier', async () => {
    const world = await openWorld({ retryBudgets: { server_error: 1 } })
    await world.addRunner((_, response) => void response.writeHead(503, { 'x-fal-stop-runner': '0' }).end())
    await world.submit('a')
    expect(await world.outcome('a')).toMatchObject({ status: 503, attempt: 2 })
  })
})

describe('cancelling', () => {
  test('a waiting request ends it, and it never runs', async () => {
    const world = await openWorld()
    await world.submit('a')
    expect(await world.dispatcher.cancel('a')).toBe('ended')
    expect(await world.outcome('a')).toMatchObject({ status: 499, attempt: 0, error: { code: 'client_cancelled' } })
    expect(world.home.queueLength).toBe(0)
    expect(await world.dispatcher.cancel('a')).toBe('too_late')
  })

  test('a running request asks the app, whose answer is the outcome', async () => {
    const world = await openWorld()
    const { held, asked, handler } = holding()
    await world.addRunner(handler)
    await world.submit('a')
    const response = await held
    expect(await world.dispatcher.cancel('a')).toBe('asked')
    await expect.poll(() => asked, patient).toEqual([['POST', '/generate/cancel', 'a']])
    response.writeHead(499).end('stopped')
    expect(await world.outcome('a')).toMatchObject({ status: 499, text: 'stopped', attempt: 1 })
  })

  test('a running request keeps it from being tried again', async () => {
    const world = await openWorld()
    const { held, handler } = holding()
    await world.addRunner(handler)
    await world.submit('a')
    const response = await held
    expect(await world.dispatcher.cancel('a')).toBe('asked')
    response.destroy()
    expect(await world.outcome('a')).toMatchObject({ status: 499, attempt: 1, error: { code: 'client_cancelled' } })
  })
})

describe('a flush', () => {
  test('cancels what waits, leaves what runs, and what comes later is served', async () => {
    const world = await openWorld()
    const { held, handler } = holding()
    await world.addRunner(handler)
    await world.submit('runs')
    const response = await held
    await world.submit('waits')
    await world.submit('retries', { priority: 'low' })
    expect(await world.dispatcher.flush('app')).toBe(2)
    expect(world.home.queueLength).toBe(0)
    expect(await world.stateOf('runs')).toBe('running')
    response.end('done')
    expect(await world.outcome('runs')).toMatchObject({ status: 200, text: 'done' })
    for (const id of ['waits', 'retries'])
      expect(await world.outcome(id)).toMatchObject({ status: 499, attempt: 0, error: { code: 'client_cancelled' } })
  })

  test('of one caller leaves the others waiting', async () => {
    const world = await openWorld()
    await world.submit('mine', {}, { callerId: 'me' })
    await world.submit('yours', {}, { callerId: 'you' })
    expect(await world.dispatcher.flush('app', 'me')).toBe(1)
    expect([await world.stateOf('mine'), await world.stateOf('yours')]).toEqual(['completed', 'waiting'])
    expect(world.home.queueLength).toBe(1)
  })

  test('ends more requests than one page holds', async () => {
    const world = await openWorld()
    await Promise.all(Array.from({ length: 2_001 }, (_, index) => world.submit(`request-${index}`)))
    expect(await world.dispatcher.flush('app')).toBe(2_001)
    expect(world.home.queueLength).toBe(0)
  })
})

describe('a paused queue', () => {
  const set = async (world: Pick<World, 'store'>, paused: boolean) => {
    const was = await world.store.read(queueOfApp('app'))
    await world.store.commit(updateQueue('app', was!, { ...queueDefaults, paused }, start))
  }

  test('waits, also across a restart, and is served at once when it is resumed', async () => {
    const world = await openWorld()
    await set(world, true)
    const again = await world.restart()
    await again.addRunner(ok)
    await again.submit('one')
    await again.dispatcher.recover()
    const later = await world.restart()
    await later.addRunner(ok)
    await later.dispatcher.recover()
    later.dispatcher.wake()
    expect([await later.stateOf('one'), later.home.positionOf('one')]).toEqual(['waiting', 0])
    await set(world, false)
    await expect.poll(() => later.stateOf('one'), patient).toBe('completed')
  })

  test('lets what waits too long end, and what runs end well', async () => {
    const world = await openWorld()
    const held = Promise.withResolvers<void>()
    await world.addRunner((_, response) => void held.promise.then(() => response.end('ok')))
    await world.submit('running')
    await expect.poll(() => world.stateOf('running'), patient).toBe('running')
    await set(world, true)
    await expect.poll(() => world.home.reserve('probe'), patient).toBeUndefined()
    await world.submit('late', { startBy: start + 1_000 })
    world.clock.advance(1_000)
    world.dispatcher.wake()
    await expect.poll(() => world.stateOf('late'), patient).toBe('completed')
    held.resolve()
    await expect.poll(() => world.stateOf('running'), patient).toBe('completed')
  })
})

describe('a restart', () => {
  test('takes up what waited and decides about what ran', async () => {
    const world = await openWorld()
    await world.addRunner(() => {})
    await world.submit('ran')
    const { store, dispatcher } = world
    const running = { runnerId: 'runner-1', now: start }
    for (const [id, more] of [
      ['once', once],
      ['cancelled', {}],
    ] as const) {
      await store.commit(acceptRequest(newRequest(id, more, {}), running))
    }
    await store.commit(requestCancel({ requestId: 'cancelled', outcome: cancelledOutcome('cancelled'), now: start }))
    await world.submit('waits', { priority: 'low' })
    await dispatcher.stop({ graceMs: 0 })
    expect(await world.stateOf('ran')).toBe('running')

    const next = await world.restart()
    await next.dispatcher.recover()
    expect(next.home.queueLength).toBe(2)
    await next.addRunner(ok)
    expect(await next.outcome('ran')).toMatchObject({ status: 200, attempt: 2 })
    expect(await next.outcome('waits')).toMatchObject({ status: 200, attempt: 1 })
    expect(await next.outcome('once')).toMatchObject({
      status: 503,
      attempt: 1,
      error: { code: 'runner_disconnected' },
    })
    expect(await next.outcome('cancelled')).toMatchObject({
      status: 499,
      attempt: 1,
      error: { code: 'client_cancelled' },
    })
  })

  test('leaves alone what comes and runs while it still reads', async () => {
    const world = await openWorld()
    await world.submit('old')
    await world.dispatcher.stop({ graceMs: 0 })

    const next = await world.restart()
    const { held, handler } = holding()
    await next.addRunner(handler)
    world.disk.beforePage = async () => {
      delete world.disk.beforePage
      await next.submit('new')
      await held
    }
    await next.dispatcher.recover()
    const response = await held
    response.end('once')
    expect(await next.outcome('new')).toMatchObject({ status: 200, attempt: 1, text: 'once' })
  })

  test('with a clock that was ahead before does not keep a retry waiting until that moment comes', async () => {
    const world = await openWorld()
    await world.addRunner(hangUp)
    world.clock.advance(86_400_000)
    await world.submit('a')
    await expect.poll(() => world.stateOf('a'), patient).toBe('waiting')
    await world.dispatcher.stop({ graceMs: 0 })
    world.clock.advance(-86_400_000)

    const next = await world.restart()
    await next.dispatcher.recover()
    expect(next.home.nextMoment()).toBe(start + longestBackOffMs)
  })

  test('that is announced lets running requests end', async () => {
    const world = await openWorld()
    const { held, handler } = holding()
    await world.addRunner(handler)
    await world.submit('a')
    const response = await held
    const stopped = world.dispatcher.stop({ graceMs: 60_000 })
    await world.submit('b')
    response.end('late')
    await stopped
    expect(await world.stateOf('a')).toBe('completed')
    expect(await world.stateOf('b')).toBe('waiting')
  })
})

test('what was stored as started before the end was announced is still sent', async () => {
  const world = await openWorld()
  const { held, handler } = holding()
  await world.addRunner(handler)
  await world.submit('a')
  const response = await held
  await world.addRunner(ok)
  const stopped = world.dispatcher.stop({ graceMs: 60_000 })
  await world.submit('b', once)
  await expect.poll(() => world.stateOf('b'), patient).toBe('completed')
  response.end()
  await stopped
})

test('a submit whose commit is on its way when the end is announced is sent, and runs', async () => {
  const world = await openWorld()
  await world.addRunner(ok)
  const { promise: stored, resolve: store } = Promise.withResolvers<void>()
  world.disk.beforeCommit = () => stored
  const submitted = world.submit('a', once)
  const stopped = world.dispatcher.stop({ graceMs: 60_000 })
  delete world.disk.beforeCommit
  store()
  await Promise.all([submitted, stopped])
  expect(await world.stateOf('a')).toBe('completed')
  expect(await world.outcome('a')).toMatchObject({ status: 200, attempt: 1 })
})

describe('a full disk', () => {
  test('loses no outcome: it is stored when there is room, and the work is not done again', async () => {
    const world = await openWorld()
    const { held, handler } = holding()
    await world.addRunner(handler)
    await world.submit('a')
    const response = await held
    world.disk.full = true
    response.end('done')
    await expect.poll(() => world.disk.refused, patient).toBeGreaterThan(1)
    world.disk.full = false
    expect(await world.outcome('a')).toMatchObject({ status: 200, attempt: 1, text: 'done' })
  })

  test('starts no attempt, and the request keeps its place', async () => {
    const world = await openWorld()
    await world.submit('a')
    await world.submit('b')
    world.disk.full = true
    const seen: unknown[] = []
    await world.addRunner((request, response) => {
      seen.push(request.headers['x-fal-request-id'])
      response.end()
    })
    await expect.poll(() => world.disk.refused, patient).toBe(1)
    expect(seen).toEqual([])
    world.disk.full = false
    expect(await world.outcome('b')).toMatchObject({ status: 200, attempt: 1 })
    expect(seen).toEqual(['a', 'b'])
  })

  test('lets none that comes when there is room again overtake one that could not start', async () => {
    const world = await openWorld()
    await world.submit('a')
    world.disk.full = true
    const seen: unknown[] = []
    await world.addRunner((request, response) => {
      seen.push(request.headers['x-fal-request-id'])
      response.end()
    })
    await expect.poll(() => world.disk.refused, patient).toBe(1)
    world.disk.full = false
    await world.submit('b')
    expect(await world.outcome('b')).toMatchObject({ status: 200, attempt: 1 })
    expect(seen).toEqual(['a', 'b'])
  })
})

test('under any weather each request reaches one outcome, and none runs more often than it may', async () => {
  const world = await openWorld({ requestTimeout: 0.5 })
  const runs = new Map<string, number>()
  let weather = 0
  const moods: RequestListener[] = [
    ok,
    breakOff,
    ok,
    hangUp,
    (_, response) => void response.writeHead(503).end(),
    ok,
    () => {},
  ]
  const handler: RequestListener = (request, response) => {
    const id = String(request.headers['x-fal-request-id'])
    runs.set(id, (runs.get(id) ?? 0) + 1)
    moods[weather++ % moods.length]!(request, response)
  }
  await Promise.all(Array.from({ length: 40 }, () => world.addRunner(handler)))
  const ids = Array.from({ length: 40 }, (_, i) => `request-${i}`)
  await Promise.all(ids.map((id, i) => world.submit(id, i % 4 === 0 ? once : {})))
  await world.addRunner((request, response) => {
    const id = String(request.headers['x-fal-request-id'])
    runs.set(id, (runs.get(id) ?? 0) + 1)
    ok(request, response)
  })
  for (const [i, id] of ids.entries()) {
    const { state, attempt } = await world.outcome(id)
    expect(state).toBe('completed')
    expect(runs.get(id) ?? 0).toBeLessThanOrEqual(i % 4 === 0 ? 1 : attempt)
  }
  expect(world.home.load()).toMatchObject({ waiting: 0, running: 0 })
})
