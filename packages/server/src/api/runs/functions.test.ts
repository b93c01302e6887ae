import type { IncomingMessage, ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { createCaller } from '../../calls/undici-caller.ts'
import { readResult } from '../../domain/run-value.ts'
import type { RunnerId } from '../../domain/ids.ts'
import { silent } from '../../kit/logger.ts'
import type { LogLine } from '../../logs/log-store.ts'
import { openTestRunner, textOf } from '../../testing/runner.ts'
import { openTestScheduler, testSpec } from '../../testing/scheduler.ts'
import type { HostFacts } from './function-call.ts'
import { createFunctions } from './functions.ts'
import { hostSpec } from './host-spec.ts'

const second = 1_000

/** A function that is called by real HTTP, in the runners of a real scheduler over a fake backend. */
async function openFunctions() {
  const platform = await openTestScheduler()
  const caller = createCaller()
  const functions = createFunctions({
    ...platform,
    log: silent,
    caller,
    runners: platform.scheduler,
    jobKeyOf: (id) => `word of ${id}`,
    limits: { resultBytes: 1_000, connectTimeoutMs: 5_000 },
  })
  const facts = (more: Partial<HostFacts> = {}): HostFacts => ({
    accountId: 'account-1',
    name: 'add',
    environment: 'main',
    spec: { ...testSpec(), ...hostSpec({ keep_alive: 5, request_timeout: 60 }) },
    place: '/environments/1',
    secrets: {},
    ...more,
  })
  let calls = 0
  return {
    platform,
    functions,
    /** A call; what its runner says is in `heard`. */
    call(more: Partial<HostFacts> = {}, signal = new AbortController().signal) {
      const heard: LogLine[] = []
      const id = `run-${(calls += 1)}`
      const code = { method: 'dill', definition: Buffer.from('code') }
      const result = functions.call(facts(more), { id, code, signal, say: (line) => heard.push(line) })
      result.catch(() => {})
      return { heard, result }
    },
    /** The next runner that was started, once it was. */
    async started(count: number): Promise<RunnerId> {
      await expect.poll(() => platform.backend.started.length).toBe(count)
      await platform.settled()
      return platform.backend.started.at(-1)?.id ?? ''
    },
    async [Symbol.asyncDispose]() {
      await caller.close()
      await platform[Symbol.asyncDispose]()
    },
  }
}

type Opened = Awaited<ReturnType<typeof openFunctions>>

/** A runner that does with a call what a test says. */
function openHostRunner(
  { platform }: Opened,
  id: RunnerId,
  act: (head: { readonly mark: string }, res: ServerResponse) => void = (head, res) => {
    platform.backend.say(id, 'adding')
    for (const stream of ['stdout', 'stderr'] as const) platform.backend.say(id, head.mark, stream)
    res.end(`${JSON.stringify({ method: 'dill', raised: false })}\n5`)
  },
) {
  return openTestRunner(async (req: IncomingMessage, res) => {
    const [head = ''] = (await textOf(req)).split('\n')
    expect(req.headers.authorization).toBe(`Carrick word of ${id}`)
    act(JSON.parse(head) as { mark: string }, res)
  })
}

test('a second call is made by the runner of the first, and each has its own lines', async () => {
  await using at = await openFunctions()
  const first = at.call()
  const id = await at.started(1)
  await using runner = await openHostRunner(at, id)
  at.platform.backend.accept(id, runner.address)
  expect(await first.result).toEqual(readResult(Buffer.from('{"method": "dill", "raised": false}\n5'), 10))
  const next = at.call()
  await next.result
  expect(at.platform.backend.started).toHaveLength(1)
  for (const [index, { heard }] of [first, next].entries())
    expect(heard).toMatchObject([{ message: 'adding', requestId: `run-${index + 1}` }])
  expect(at.platform.lines.map(({ message }) => message)).toEqual(['adding', 'adding'])
})

test('calls at the same time have a runner each, and other secrets, or another build, another host', async () => {
  await using at = await openFunctions()
  at.call()
  at.call()
  await at.started(2)
  expect(new Set(at.platform.backend.started.map(({ appId }) => appId)).size).toBe(1)
  at.call({ secrets: { TOKEN: 'new' } })
  at.call({ place: '/environments/2' })
  await at.started(4)
  expect(new Set(at.platform.backend.started.map(({ appId }) => appId)).size).toBe(3)
})

test('the host goes with the last of its runners', async () => {
  await using at = await openFunctions()
  const { result } = at.call()
  const id = await at.started(1)
  await using runner = await openHostRunner(at, id)
  at.platform.backend.accept(id, runner.address)
  await result
  const hosts = () => [...at.platform.apps.all()].map(({ app }) => app.name)
  expect(hosts()).toEqual([expect.stringMatching(/^add-[0-9a-f]{12}$/)])
  await at.platform.pass(4 * second)
  expect(hosts()).toHaveLength(1)
  await at.platform.pass(1 * second)
  await expect.poll(hosts).toEqual([])
})

test('a runner that cannot start fails those who wait for it, with its last words', async () => {
  await using at = await openFunctions()
  const { result } = at.call()
  const id = await at.started(1)
  at.platform.backend.say(id, 'no such module')
  at.platform.backend.exit(id, { code: 1, signal: null })
  await expect(result).rejects.toThrow(/exit code 1[^]*no such module/)
  await at.platform.pass(3_600 * second)
  expect(at.platform.backend.started).toHaveLength(1)
})

test('a process that dies fails its own call, and the next one has another', async () => {
  await using at = await openFunctions()
  const dying = at.call()
  const id = await at.started(1)
  await using runner = await openHostRunner(at, id, (_, res) => {
    at.platform.backend.exit(id, { code: null, signal: 'SIGKILL' })
    res.destroy()
  })
  at.platform.backend.accept(id, runner.address)
  await expect(dying.result).rejects.toThrow('died with <Signals.SIGKILL: 9>.`.')
  at.call()
  expect(await at.started(2)).not.toBe(id)
})

test('a runner that had died before the call began costs nothing but its place', async () => {
  await using at = await openFunctions()
  const { result } = at.call()
  const dead = await at.started(1)
  at.platform.backend.accept(dead, await closedPort())
  const id = await at.started(2)
  await using runner = await openHostRunner(at, id)
  at.platform.backend.accept(id, runner.address)
  expect(await result).toMatchObject({ kind: 'value' })
})

async function closedPort() {
  await using runner = await openTestRunner(() => {})
  return runner.address
}

test('the runner of a caller that has gone is ended at once', async () => {
  await using at = await openFunctions()
  const gone = new AbortController()
  at.platform.backend.obedient = false
  const { result } = at.call({}, gone.signal)
  const id = await at.started(1)
  const begun = Promise.withResolvers<void>()
  await using runner = await openHostRunner(at, id, () => begun.resolve())
  at.platform.backend.accept(id, runner.address)
  await begun.promise
  gone.abort(new Error('the caller has gone'))
  await expect(result).rejects.toThrow('the caller has gone')
  await expect.poll(() => at.platform.backend.alive).toEqual([])
})

test('an answer that is no result, or too large, is refused and its runner ended', async () => {
  await using at = await openFunctions()
  for (const [index, answer, complaint] of [
    [1, 'hello', 'no result'],
    [2, `{"method": "dill", "raised": false}\n${'x'.repeat(1_001)}`, '1001 bytes'],
  ] as const) {
    const { result } = at.call()
    const id = await at.started(index)
    await using runner = await openHostRunner(at, id, (_, res) => void res.end(answer))
    at.platform.backend.accept(id, runner.address)
    await expect(result).rejects.toThrow(complaint)
  }
})
