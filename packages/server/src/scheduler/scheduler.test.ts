import { describe, expect, test } from 'vitest'
import { createKeyring } from '../access/memory-keyring.ts'
import { CarrickError } from '../domain/errors.ts'
import { queueDefaults } from '../domain/queue-settings.ts'
import type { QueuedRequest } from '../domain/request.ts'
import { pend, start } from '../domain/runner.ts'
import { deleteApp, queueOfApp, updateQueue } from '../store/apps.ts'
import { addRunner } from '../store/runners.ts'
import { manualClock } from '../testing/clock.ts'
import { FakeBackend } from '../testing/fake-backend.ts'
import { openTestScheduler, registerTestRevision } from '../testing/scheduler.ts'
import { addTestAccount, openTestStore } from '../testing/store.ts'

const second = 1_000
const now = 1_800_000_000_000

const waitingRequest = (acceptedAt: number): QueuedRequest => ({
  id: 'request',
  appId: 'hello',
  seq: 1,
  priority: 'normal',
  attempt: 0,
  dueAt: 0,
  acceptedAt,
  retry: { forbidden: false, budgets: {} },
  used: {},
})

describe('an app without runners', () => {
  test('has none until a call comes, which starts one at once', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1' })
    expect(at.backend.started).toEqual([])
    const call = at.call()
    await expect.poll(() => at.backend.started.length).toBe(1) // no tick comes within this test
    const [id] = at.backend.alive
    expect(await at.stored(id!)).toMatchObject({ state: 'setup', revisionId: 'r1', machineType: 'XS' })
    await at.accept(id!)
    expect(await at.stored(id!)).toMatchObject({ state: 'serving', address: { host: '127.0.0.1' } })
    expect(call.slot?.runnerId).toBe(id)
  })

  test('gives its runner a key that counts while it lives', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1' })
    at.call()
    await at.settled()
    const [keyId = '', secret = ''] = (at.backend.started[0]?.variables['FAL_KEY'] ?? '').split(':')
    await at.keyring.refresh()
    expect(at.keyring.identify({ keyId, secret })).toMatchObject({ accountId: 'account-1' })
    at.backend.exit(at.backend.alive[0]!, { code: 1, signal: null })
    await at.settled()
    await at.keyring.refresh()
    expect(at.keyring.identify({ keyId, secret })).toBeUndefined()
  })
})

describe('scaling', () => {
  test('goes from zero to max_concurrency and back to zero', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1', scale: { max_concurrency: 3, keep_alive: 5 } })
    const calls = Array.from({ length: 5 }, () => at.call())
    await at.settled()
    expect(at.backend.alive).toHaveLength(3)
    await at.accept(...at.backend.alive)
    expect(calls.filter(({ slot }) => slot)).toHaveLength(3)
    for (const call of calls) call.end()
    await at.settled()
    for (const call of calls) call.end()
    await at.pass(4 * second)
    expect(at.backend.alive).toHaveLength(3)
    await at.pass(1 * second)
    expect(at.backend.alive).toEqual([])
    expect(at.backend.known).toEqual([])
    expect(await at.stored(at.backend.started[0]!.id)).toMatchObject({ state: 'terminated', reason: 'keep_alive' })
  })

  test('a paused queue starts no runner and keeps none; resumed, it starts one at once', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1', scale: { keep_alive: 1 } })
    const set = async (paused: boolean) => {
      const was = await at.store.read(queueOfApp('hello'))
      await at.store.commit(updateQueue('hello', was!, { ...queueDefaults, paused }, at.clock.now()))
      await at.apps.refresh()
    }
    const call = at.call()
    await at.settled()
    await at.accept(...at.backend.alive)
    await set(true)
    call.end()
    at.homes.of('hello').admit(waitingRequest(at.clock.now()))
    await at.pass(1 * second)
    await at.pass(600 * second)
    expect([at.backend.alive, at.backend.started.length]).toEqual([[], 1])
    await set(false)
    await expect.poll(() => at.backend.started.length).toBe(2)
  })

  test('keeps the floor, without traffic too', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1', scale: { min_concurrency: 1, keep_alive: 0 } })
    await at.accept(...at.backend.alive)
    await at.pass(600 * second)
    expect(at.backend.alive).toHaveLength(1)
  })

  test('a runner that never had a request goes after ten seconds', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1', strategy: 'rolling', scale: { keep_alive: 300 } })
    await at.accept(...at.backend.alive)
    await at.pass(9.9 * second)
    expect(at.backend.alive).toHaveLength(1)
    await at.pass(0.1 * second)
    expect(at.backend.alive).toEqual([])
  })

  test('a busy runner stays, whatever time passes', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1', scale: { keep_alive: 1 } })
    const call = at.call()
    await at.settled()
    await at.accept(...at.backend.alive)
    await at.pass(1_000 * second)
    expect(at.backend.alive).toEqual([call.slot?.runnerId])
  })

  test('a call that comes while an idle runner is sent away is not given that runner', async () => {
    await using at = await openTestScheduler()
    at.backend.obedient = false
    await at.deploy({ revision: 'r1', scale: { keep_alive: 1, max_concurrency: 1 } })
    for (let turns = 0; turns < 12; turns += 1) {
      const first = at.call()
      await at.settled()
      await at.accept(...at.backend.alive)
      first.end()
      at.clock.advance(1 * second)
      const looked = at.scheduler.look()
      for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve))
      using slot = at.homes.of('hello').reserve('late')
      await looked
      await at.settled()
      if (slot) expect(at.backend.finishing).not.toContain(slot.runnerId)
      for (const id of at.backend.finishing) at.backend.exit(id)
    }
  })

  test('a call that comes while the only runner finishes starts another at once', async () => {
    await using at = await openTestScheduler()
    at.backend.obedient = false
    await at.deploy({ revision: 'r1', scale: { keep_alive: 1 } })
    const call = at.call()
    await at.settled()
    await at.accept(...at.backend.alive)
    call.end()
    await at.pass(1 * second)
    expect(at.backend.finishing).toHaveLength(1)
    at.call()
    await expect.poll(() => at.backend.started.length).toBe(2)
  })

  test('scaling_delay lets a call wait before it starts a runner', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1', scale: { scaling_delay: 5 } })
    at.call()
    await at.pass(4.9 * second)
    expect(at.backend.alive).toEqual([])
    await at.pass(0.1 * second)
    expect(at.backend.alive).toHaveLength(1)
  })
})

describe('a start that fails', () => {
  test('makes the next one wait 30 s, then 60 s; one that succeeds ends that', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1', scale: { max_concurrency: 1 } })
    at.call()
    await at.settled()
    at.backend.exit(at.backend.alive[0]!, { code: 1, signal: null })
    await at.settled()
    expect(at.backend.started).toHaveLength(1)
    expect(await at.scheduler.listing('account-1')).toMatchObject([{ state: 'crash_backoff' }])
    await at.pass(29.9 * second)
    expect(at.backend.started).toHaveLength(1)
    await at.pass(0.1 * second)
    expect(at.backend.started).toHaveLength(2)
    at.backend.exit(at.backend.alive[0]!, { code: 1, signal: null })
    await at.settled()
    await at.pass(59.9 * second)
    expect(at.backend.started).toHaveLength(2)
    await at.pass(0.1 * second)
    expect(at.backend.started).toHaveLength(3)
    await at.accept(at.backend.alive[0]!)
    await at.scheduler.killRunner(at.backend.alive[0]!)
    at.call()
    await at.settled()
    expect(at.backend.started).toHaveLength(4)
  })

  test('that succeeds ends the wait of all, at once', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1', scale: { min_concurrency: 3 } })
    const [good, ...bad] = at.backend.alive
    for (const id of bad) at.backend.exit(id, { code: 1, signal: null })
    await at.settled()
    const states = async () => (await at.scheduler.listing('account-1')).map(({ state }) => state)
    expect(await states()).toEqual(['setup', 'crash_backoff', 'crash_backoff'])
    await at.accept(good!)
    expect(await states()).toEqual(['idle', 'setup', 'setup'])
  })

  test('is over when its port stays shut for startup_timeout', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1', scale: { startup_timeout: 7 } })
    at.call()
    await at.settled()
    const [id] = at.backend.alive
    await at.pass(7 * second + 1)
    expect(await at.stored(id!)).toMatchObject({ state: 'terminated', reason: 'startup_timeout' })
    expect(at.backend.known).not.toContain(id)
  })

  test('counts when the backend refuses it, and the logs say why', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1' })
    at.backend.refusal = new Error('there is no room')
    at.call()
    await at.settled()
    expect(await at.scheduler.listing('account-1')).toMatchObject([{ state: 'crash_backoff' }])
    expect(at.lines).toMatchObject([{ source: 'bridge', message: expect.stringContaining('there is no room') }])
  })
})

describe('a runner that ends by itself', () => {
  test('is recorded with its exit and replaced where there is need', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1', scale: { min_concurrency: 1 } })
    const [id] = at.backend.alive
    await at.accept(id!)
    at.backend.exit(id!, { code: null, signal: 'SIGSEGV' })
    await at.settled()
    const exit = { code: null, signal: 'SIGSEGV' }
    expect(await at.stored(id!)).toMatchObject({ state: 'terminated', reason: 'crash', exit })
    expect(at.backend.alive).toHaveLength(1)
  })
})

test('a runner of a deleted app is still listed under its name', async () => {
  await using at = await openTestScheduler()
  at.backend.obedient = false
  await at.deploy({ revision: 'r1', scale: { min_concurrency: 1 } })
  const [id] = at.backend.alive
  await at.accept(id!)
  await at.store.commit(deleteApp('hello', at.clock.now()))
  await at.apps.refresh()
  await at.settled()
  expect(await at.scheduler.listing('account-1', 0)).toMatchObject([{ state: 'terminating', appName: 'hello' }])
  await at.pass(10 * second)
  expect(await at.scheduler.listing('account-1', 0)).toMatchObject([{ state: 'terminated', appName: 'hello' }])
})

describe('a runner that is asked to end', () => {
  test('finishes its request first; its grace counts from there; then it is killed', async () => {
    await using at = await openTestScheduler()
    at.backend.obedient = false
    await at.deploy({ revision: 'r1', scale: { max_concurrency: 1 } })
    const call = at.call()
    await at.settled()
    const [id] = at.backend.alive
    await at.accept(id!)
    await at.scheduler.stopRunner(id!, { replaceFirst: false })
    expect(await at.scheduler.listing('account-1')).toMatchObject([
      { state: 'draining', inFlight: 1, reason: 'stopped', requests: [{ since: at.clock.now() }] },
    ])
    await at.pass(1_000 * second)
    expect(at.backend.finishing).toEqual([id])
    call.end()
    await at.settled()
    expect(await at.scheduler.listing('account-1')).toMatchObject([{ state: 'terminating' }])
    await at.pass(4.9 * second)
    expect(at.backend.alive).toEqual([id])
    await at.pass(0.1 * second)
    expect(at.backend.alive).toEqual([])
    expect(await at.stored(id!)).toMatchObject({ reason: 'stopped', exit: { signal: 'SIGKILL' } })
  })

  test('is not waited for longer than a request may take', async () => {
    await using at = await openTestScheduler()
    at.backend.obedient = false
    await at.deploy({ revision: 'r1', scale: { request_timeout: 100 } })
    at.call()
    await at.settled()
    const [id] = at.backend.alive
    await at.accept(id!)
    await at.scheduler.stopRunner(id!, { replaceFirst: false })
    await at.pass(100 * second)
    expect(at.backend.alive).toEqual([])
  })

  test('has a successor first where that was asked for', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1', scale: { min_concurrency: 1, max_concurrency: 1 } })
    const [old] = at.backend.alive
    await at.accept(old!)
    await at.scheduler.stopRunner(old!, { replaceFirst: true })
    await at.settled()
    const [, successor] = at.backend.alive
    expect(at.backend.alive).toHaveLength(2)
    expect(await at.scheduler.listing('account-1')).toMatchObject([{ replacement: 'will' }, { replacement: 'none' }])
    await at.accept(successor!)
    expect(at.backend.alive).toEqual([successor])
    expect(await at.stored(old!)).toMatchObject({ reason: 'stopped' })
  })

  test('is killed at once when that was asked for', async () => {
    await using at = await openTestScheduler()
    at.backend.obedient = false
    await at.deploy({ revision: 'r1' })
    at.call()
    await at.settled()
    const [id] = at.backend.alive
    await at.accept(id!)
    await at.scheduler.killRunner(id!)
    await at.settled()
    expect(await at.stored(id!)).toMatchObject({ state: 'terminated', reason: 'killed' })
  })

  test('is not asked to end before it is killed: how far it came with that would be chance', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1' })
    at.call()
    await at.settled()
    const [id] = at.backend.alive
    await at.accept(id!)
    await at.scheduler.killRunner(id!)
    await at.settled()
    expect(await at.stored(id!)).toMatchObject({ exit: { code: null, signal: 'SIGKILL' } })
  })

  test('is "not found" when nobody knows it', async () => {
    await using at = await openTestScheduler()
    await expect(at.scheduler.stopRunner('nobody', { replaceFirst: false })).rejects.toThrow('not found')
    await expect(at.scheduler.killRunner('nobody')).rejects.toThrow('not found')
  })
})

describe('a verdict', () => {
  test('ends the runner and another takes its place', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1' })
    const call = at.call()
    await at.settled()
    const [id] = at.backend.alive
    await at.accept(id!)
    at.homes.of('hello').retire(id!)
    call.end()
    at.scheduler.verdict(id!, 'terminate', 'app_requested')
    at.call()
    await at.settled()
    expect(await at.stored(id!)).toMatchObject({ state: 'terminated', reason: 'app_requested' })
    expect(at.backend.alive).toHaveLength(1)
  })

  test('to look at a runner ends one whose port is shut', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1', scale: { min_concurrency: 1 } })
    const [id] = at.backend.alive
    await at.accept(id!) // nothing listens at a fake runner's address
    at.scheduler.verdict(id!, 'check', 'health_check')
    await expect.poll(async () => (await at.stored(id!))?.state).toBe('terminated')
  })
})

describe('what runners say', () => {
  test('is in the logs with the level that the line names', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1' })
    at.call()
    await at.settled()
    const [id] = at.backend.alive
    at.backend.say(id!, 'hello')
    at.backend.say(id!, 'oh', 'stderr')
    at.backend.say(id!, '{"levelname": "WARN", "text": "x"}', 'stderr')
    at.backend.say(id!, '12:00 [error] no')
    at.backend.say(id!, '{"level": ')
    expect(at.lines.map(({ level }) => level)).toEqual(['stdout', 'stderr', 'warning', 'error', 'stdout'])
    expect(at.lines[0]).toMatchObject({ runnerId: id, appId: 'hello', revisionId: 'r1', accountId: 'account-1' })
  })

  test('is in the logs without what it was given in secret', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1' })
    at.call()
    await at.settled()
    const [id] = at.backend.alive
    const [keyId, secret] = at.backend.started.at(-1)?.variables['FAL_KEY']?.split(':') ?? []
    at.backend.say(id!, `my key is ${keyId}:${secret}`)
    expect(at.lines.map(({ message }) => message)).toEqual([`my key is ${keyId}:********`])
  })
})

test('the runners of a deleted app end', async () => {
  await using at = await openTestScheduler()
  await at.deploy({ revision: 'r1', scale: { min_concurrency: 1 } })
  await at.accept(...at.backend.alive)
  await at.store.commit(deleteApp('hello', at.clock.now()))
  await expect.poll(() => at.backend.alive).toEqual([])
  expect(await at.stored(at.backend.started[0]!.id)).toMatchObject({ reason: 'app_deleted' })
})

test('a planned stop asks every runner to finish and waits for all', async () => {
  await using at = await openTestScheduler()
  await at.deploy({ revision: 'r1', scale: { min_concurrency: 2 } })
  const [serving, starting] = at.backend.alive
  await at.accept(serving!)
  await at.scheduler.stop({ graceMs: 10_000 })
  expect(at.backend.alive).toEqual([])
  expect(await at.stored(serving!)).toMatchObject({ reason: 'shutdown', exit: { code: 143 } })
  expect(await at.stored(starting!)).toMatchObject({ reason: 'shutdown' })
})

test('a planned stop waits for the runners and not for room to record their ends', async () => {
  await using store = await openTestStore()
  await addTestAccount(store)
  let isFull = false
  const commit: typeof store.commit = (change) =>
    isFull ? Promise.reject(new CarrickError('disk_full', 'no room')) : store.commit(change)
  const at = await openTestScheduler({ store: { ...store, commit } })
  await at.deploy({ revision: 'r1', scale: { min_concurrency: 2 } })
  await at.accept(at.backend.alive[0]!)
  isFull = true
  await at.scheduler.stop({ graceMs: 3_600_000 })
  expect(at.backend.alive).toEqual([])
})

test('after an unclean end every former runner is gone before anything else, strangers too', async () => {
  await using store = await openTestStore()
  await addTestAccount(store)
  await registerTestRevision(store, { revision: 'r1' }, now)
  const keyring = await createKeyring(store, manualClock(now))
  const key = await keyring.mint('account-1', ['apps:call'], 'runner')
  const machine = { appId: 'hello', accountId: 'account-1', revisionId: 'r1', machineType: 'XS', createdAt: now }
  const waiting = pend({ ...machine, id: 'waiting' }, now + 1)
  const starting = start(pend({ ...machine, id: 'starting', keyId: key.keyId }, now), 1_000, now)
  const backend = new FakeBackend()
  await Promise.all([store.commit(addRunner(waiting)), store.commit(addRunner(starting))])
  for (const id of ['starting', 'stranger']) {
    await backend.start({
      id,
      appId: 'hello',
      revisionId: 'r1',
      accountId: 'a1',
      command: [],
      variables: {},
      mounts: [],
    })
  }

  await using at = await openTestScheduler({ store, backend })
  expect(backend.known).toEqual([])
  for (const id of ['waiting', 'starting']) {
    expect(await at.stored(id)).toMatchObject({ state: 'terminated', reason: 'server_restart' })
  }
  expect(at.keyring.identify(key)).toBeUndefined()
})
