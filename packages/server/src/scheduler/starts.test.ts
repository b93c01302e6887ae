import { expect, test } from 'vitest'
import { CarrickError } from '../domain/errors.ts'
import type { Runner } from '../domain/runner.ts'
import type { Write } from '../store/store.ts'
import { FakeBackend } from '../testing/fake-backend.ts'
import { openTestScheduler, testLaunch } from '../testing/scheduler.ts'
import { addTestAccount, openTestStore } from '../testing/store.ts'

/** A store that puts nothing on the disk while it is held. */
async function openHeldStore() {
  const store = await openTestStore()
  await addTestAccount(store)
  const commit = store.commit.bind(store)
  let released = Promise.withResolvers<void>()
  released.resolve()
  const waiting = { writes: 0 }
  store.commit = async <T>(write: Write<T>) => {
    waiting.writes += 1
    await released.promise
    return commit(write)
  }
  return {
    store,
    waiting,
    hold: () => {
      waiting.writes = 0
      released = Promise.withResolvers()
    },
    release: () => released.resolve(),
    /** What waits is not stored; what comes after it is. */
    fail: (why: Error) => {
      released.reject(why)
      released = Promise.withResolvers()
      released.resolve()
    },
    [Symbol.asyncDispose]: () => store.close(),
  }
}

test('a request that is on its way to the disk starts a runner already', async () => {
  await using at = await openTestScheduler()
  await at.deploy({ revision: 'r1' })
  using _place = at.homes.of('hello').announce({ asLoad: true })
  await expect.poll(() => at.backend.started.length).toBe(1) // no tick comes within this test
})

test('a runner that is started is on the disk', async () => {
  const stored: (Runner['state'] | undefined)[] = []
  const backend = new FakeBackend()
  await using at = await openTestScheduler({ backend })
  const start = backend.start.bind(backend)
  backend.start = async (spec) => {
    stored.push((await at.stored(spec.id))?.state)
    return start(spec)
  }
  await at.deploy({ revision: 'r1' })
  at.call()
  await at.settled()
  await expect.poll(() => stored).toEqual(['setup'])
})

test('nothing is started while its record is not on the disk', async () => {
  await using held = await openHeldStore()
  await using at = await openTestScheduler({ store: held.store })
  await at.deploy({ revision: 'r1' })
  held.hold()
  at.call()
  await expect.poll(() => held.waiting.writes).toBe(1)
  await expect.poll(() => at.backend.prepared.size).toBe(1)
  expect(at.backend.started).toEqual([])
  held.release()
  await expect.poll(() => at.backend.started.length).toBe(1)
  expect(at.backend.prepared.size).toBe(0)
})

test('nothing is left of what was made ready for a runner whose record cannot be stored', async () => {
  await using held = await openHeldStore()
  await using at = await openTestScheduler({ store: held.store })
  await at.deploy({ revision: 'r1' })
  held.hold()
  at.call()
  await expect.poll(() => at.backend.prepared.size).toBe(1)
  const [lost = ''] = at.backend.prepared
  held.fail(new CarrickError('disk_full', 'the disk is full'))
  await expect.poll(() => at.backend.prepared.has(lost)).toBe(false)
  expect(at.backend.started.map(({ id }) => id)).not.toContain(lost)
})

test('a runner whose port is open is given requests while that is on its way to the disk', async () => {
  await using held = await openHeldStore()
  await using at = await openTestScheduler({ store: held.store })
  await at.deploy({ revision: 'r1' })
  const call = at.call()
  await at.settled()
  const [id = ''] = at.backend.alive
  held.hold()
  at.backend.accept(id)
  await expect.poll(() => call.slot?.runnerId).toBe(id)
  expect(await at.stored(id)).toMatchObject({ state: 'setup' })
  held.release()
  await at.settled()
  expect(await at.stored(id)).toMatchObject({ state: 'serving' })
})

test('a start that waits until its environment is built again has all its time after that', async () => {
  const built = Promise.withResolvers<void>()
  await using at = await openTestScheduler({
    launch: async (start) => {
      await built.promise
      return testLaunch(start)
    },
  })
  await at.deploy({ revision: 'r1', scale: { min_concurrency: 1, startup_timeout: 10 } })
  await at.pass(60_000)
  expect(await at.scheduler.listing('account-1')).toMatchObject([{ state: 'docker_pull' }])
  built.resolve()
  await at.settled()
  await at.pass(9_000)
  const [id] = at.backend.alive
  expect(await at.stored(id!)).toMatchObject({ state: 'setup' })
  await at.pass(2_000)
  expect(await at.stored(id!)).toMatchObject({ reason: 'startup_timeout' })
})
