import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { setFreezeAfter } from '../store/apps.ts'
import { openTestRunner } from '../testing/runner.ts'
import { openTestScheduler } from '../testing/scheduler.ts'

let world: Awaited<ReturnType<typeof openTestScheduler>>
let id = ''

beforeEach(async () => {
  world = await openTestScheduler()
  await world.deploy({ revision: 'revision-1', scale: { min_concurrency: 1, max_concurrency: 2, keep_alive: 60 } })
  id = world.backend.started[0]!.id
  await world.accept(id)
  await freezeAfter(5)
})
afterEach(() => world[Symbol.asyncDispose]())

const frozen = () => [...world.backend.frozen]

async function freezeAfter(seconds: number | null): Promise<void> {
  await world.store.commit(setFreezeAfter('hello', seconds, world.clock.now()))
  await world.apps.refresh()
  await world.settled()
}

/** What a call does before it sends anything. */
async function called() {
  const slot = await world.homes.of('hello').acquire('request-1', new AbortController().signal)
  await slot.thaw?.()
  return slot
}

const listed = async () => (await world.scheduler.listing('account-1'))[0]

test('a runner is frozen once it has been idle for long enough, and goes on when a slot on it is used', async () => {
  await world.pass(4_999)
  expect(frozen()).toEqual([])
  await world.pass(1)
  expect(frozen()).toEqual([id])
  expect(await listed()).toMatchObject({ id, state: 'idle', frozenSince: world.clock.now() })
  const slot = await called()
  expect(frozen()).toEqual([])
  expect(await listed()).not.toHaveProperty('frozenSince')
  await world.pass(60_000)
  expect(frozen()).toEqual([]) // it holds a request
  slot.release()
  await world.pass(5_000)
  expect(frozen()).toEqual([id])
  expect(world.homes.freezes).toMatchObject({ freezes: 2, thaws: 1, failedThaws: 0 })
})

test('an app of which nothing is said keeps its runners as they are', async () => {
  await freezeAfter(null)
  await world.pass(86_400_000)
  expect(frozen()).toEqual([])
})

test('frozen runners go on when their app is to be frozen no more', async () => {
  await world.pass(5_000)
  await freezeAfter(0)
  expect(frozen()).toEqual([])
})

test('the clock of keep_alive goes on, and a frozen runner goes on to end', async () => {
  const second = world.call()
  const first = world.call()
  await world.settled()
  const other = world.backend.started[1]!.id
  await world.accept(other)
  first.end()
  second.end()
  await world.pass(5_000)
  expect(frozen().toSorted()).toEqual([id, other].toSorted())
  await world.pass(55_000)
  expect(world.backend.alive).toHaveLength(1)
  expect(frozen()).toEqual(world.backend.alive)
})

test('a warm runner is preferred to a frozen one', async () => {
  const busy = [world.call(), world.call()]
  await world.settled()
  const other = world.backend.started[1]!.id
  await world.accept(other)
  for (const call of busy.filter(({ slot }) => slot?.runnerId === id)) call.end()
  await world.pass(5_000)
  expect(frozen()).toEqual([id])
  for (const call of busy) call.end()
  const taken = Array.from({ length: 4 }, (_, at) => {
    using slot = world.homes.of('hello').acquireNow(`request-${at}`)
    return slot?.runnerId
  })
  expect(taken).toEqual([other, other, other, other])
  expect(frozen()).toEqual([id])
})

test('a runner that has just got a request is not frozen, however long it was idle before', async () => {
  world.clock.advance(5_000)
  using _slot = world.homes.of('hello').acquireNow('request-1')
  await world.settled()
  expect(frozen()).toEqual([])
})

test('one that does not go on is ended, and its call is told', async () => {
  await world.pass(5_000)
  world.backend.stuck = new Error('the engine has no such container')
  await expect(called()).rejects.toThrow('The runner was frozen and could not go on')
  await world.settled()
  expect(await world.stored(id)).toMatchObject({ state: 'terminated', reason: 'crash' })
  expect(world.homes.freezes).toMatchObject({ failedThaws: 1 })
})

test('one that cannot be frozen is left as it is, and not asked again', async () => {
  const freeze = vi.spyOn(world.backend.freezer, 'freeze').mockRejectedValue(new Error('no freezer'))
  await world.pass(5_000)
  await world.pass(5_000)
  expect(freeze).toHaveBeenCalledOnce()
  expect((await called()).thaw).toBeUndefined()
})

test('an app says in its explanation that runners are frozen', async () => {
  await world.pass(5_000)
  expect(world.scheduler.decisions('hello').now.there).toMatchObject({ idle: 1, frozen: 1 })
})

test('nobody asks a frozen runner for its health; the check that it missed comes once it goes on', async () => {
  const check = { path: '/', method: 'GET', startPeriodSeconds: 0, timeoutSeconds: 1, failureThreshold: 1 } as const
  let asked = 0
  await using runner = await openTestRunner((_, res) => {
    asked += 1
    res.end()
  })
  const scale = { min_concurrency: 1, max_concurrency: 1, keep_alive: 60 }
  await world.deploy({ revision: 'revision-2', scale, healthCheck: { ...check, callRegularly: true } })
  const next = world.backend.started.at(-1)!.id
  world.backend.accept(next, runner.address)
  await expect.poll(async () => (await world.stored(next))?.state).toBe('serving')
  await world.pass(5_000)
  await expect.poll(() => world.backend.frozen.has(next)).toBe(true)
  const before = asked
  await world.pass(60_000)
  expect([asked, (await world.stored(next))?.state]).toEqual([before, 'serving'])
  const slot = await called()
  await world.settled()
  await expect.poll(() => asked).toBe(before + 1)
  slot.release()
})

test('somebody who looks into a frozen runner makes it go on', async () => {
  await world.pass(5_000)
  await expect(world.scheduler.execIn(id, { command: ['true'] })).rejects.toThrow('is a fake')
  expect(world.homes.freezes.thaws).toBe(1)
})
