import { afterEach, expect, test } from 'vitest'
import { FakeBackend } from '../testing/fake-backend.ts'
import { testHardware } from '../testing/hardware.ts'
import { openTestScheduler } from '../testing/scheduler.ts'
import { addTestAccount, openTestStore } from '../testing/store.ts'

let at: Awaited<ReturnType<typeof openTestScheduler>>
afterEach(() => at[Symbol.asyncDispose]())

const second = 1_000
const on = (machineId: string, more: object = {}) => ({ machineId, since: at.clock.now(), ...more })
const views = () => at.scheduler.listing('account-1')
const boxes = (...ids: readonly string[]) => {
  const { machines, ...rest } = testHardware()
  return { ...rest, machines: ids.map((id) => ({ ...machines[0]!, id })) }
}

test('a machine in maintenance lets its runners finish, and they end with that reason', async () => {
  at = await openTestScheduler()
  await at.deploy({ revision: 'r1', scale: { min_concurrency: 2, max_concurrency: 3 } })
  const [idle, busy] = at.backend.alive
  await at.accept(idle!, busy!)
  at.backend.obedient = false
  const call = at.call()
  await at.settled()
  await at.scheduler.maintain(on('box'))
  expect(new Set(at.backend.finishing)).toEqual(new Set([idle, busy]))
  expect(await at.stored(busy!)).toMatchObject({ state: 'draining', reason: 'host_maintenance' })
  call.end()
  at.backend.exit(busy!)
  at.backend.exit(idle!)
  await at.settled()
  expect(await at.stored(busy!)).toMatchObject({ state: 'terminated', reason: 'host_maintenance' })
  expect(at.backend.alive).toEqual([])
  expect((await views()).map(({ state, waitsFor }) => [state, waitsFor])).toEqual(
    [1, 2].map(() => ['pending', { kind: 'maintenance', machines: ['box'] }]),
  )
  expect(at.scheduler.decisions('hello').now.blocks).toMatchObject([
    { kind: 'no_place', runners: 2, why: { kind: 'maintenance', machines: ['box'] } },
  ])
})

test('what waited for it starts as soon as it serves again', async () => {
  at = await openTestScheduler()
  await at.scheduler.maintain(on('box'))
  await at.deploy({ revision: 'r1', scale: { min_concurrency: 1 } })
  expect(at.backend.alive).toEqual([])
  await at.scheduler.endMaintenance('box')
  await at.settled()
  expect(at.backend.alive).toHaveLength(1)
})

test('a runner that does not serve yet is given up, and that counts as no failed start', async () => {
  at = await openTestScheduler({ hardware: boxes('one', 'two') })
  await at.deploy({ revision: 'r1', scale: { min_concurrency: 1 } })
  const [first] = at.backend.alive
  await at.scheduler.maintain(on('one'))
  await at.settled()
  expect(await at.stored(first!)).toMatchObject({ state: 'terminated', reason: 'host_maintenance' })
  const [next] = at.backend.alive
  expect(await at.stored(next!)).toMatchObject({ state: 'setup', placement: { machineId: 'two' } })
})

test('others take the place of its runners elsewhere at once, while those still finish', async () => {
  at = await openTestScheduler({ hardware: boxes('one', 'two') })
  await at.deploy({ revision: 'r1', scale: { min_concurrency: 1, max_concurrency: 1 } })
  const [first] = at.backend.alive
  await at.accept(first!)
  at.backend.obedient = false
  await at.scheduler.maintain(on('one'))
  const there = at.backend.alive.filter((id) => id !== first)
  expect(there).toHaveLength(1)
  expect(await at.stored(there[0]!)).toMatchObject({ placement: { machineId: 'two' } })
  expect(at.backend.finishing).toEqual([first])
})

test('what still runs at the deadline is killed', async () => {
  at = await openTestScheduler()
  await at.deploy({ revision: 'r1', scale: { min_concurrency: 1 } })
  const [id] = at.backend.alive
  await at.accept(id!)
  at.backend.obedient = false
  at.call()
  await at.settled()
  await at.scheduler.maintain(on('box', { deadline: at.clock.now() + 60 * second }))
  await at.pass(59 * second)
  expect(at.backend.alive).toEqual([id])
  await at.pass(2 * second)
  expect(at.backend.alive).toEqual([])
  expect(await at.stored(id!)).toMatchObject({ state: 'terminated', reason: 'host_maintenance' })
})

test('a deadline that is over at once ends runners now', async () => {
  at = await openTestScheduler()
  await at.deploy({ revision: 'r1', scale: { min_concurrency: 1 } })
  const [id] = at.backend.alive
  await at.accept(id!)
  at.backend.obedient = false
  await at.scheduler.maintain(on('box', { deadline: at.clock.now() }))
  await at.settled()
  expect(at.backend.alive).toEqual([])
})

test('maintenance outlives the server, and ends only when somebody says so', async () => {
  const store = await openTestStore()
  await addTestAccount(store)
  at = await openTestScheduler({ store })
  await at.scheduler.maintain(on('box', { message: 'a new driver' }))
  await at[Symbol.asyncDispose]()
  at = await openTestScheduler({ store, backend: new FakeBackend() })
  expect([...at.scheduler.maintained().values()]).toMatchObject([{ machineId: 'box', message: 'a new driver' }])
  await at.deploy({ revision: 'r1', scale: { min_concurrency: 1 } })
  expect(at.backend.alive).toEqual([])
  await at.scheduler.endMaintenance('box')
  await at.settled()
  expect(at.backend.alive).toHaveLength(1)
  expect(at.scheduler.maintained().size).toBe(0)
})

test('a rolling deploy that finds the machine in maintenance waits for a place, and then says why it failed', async () => {
  at = await openTestScheduler({ hardware: boxes('one', 'two') })
  await at.deploy({ revision: 'r1', scale: { min_concurrency: 1, startup_timeout: 10 } })
  await at.scheduler.maintain(on('one'))
  await at.scheduler.maintain(on('two'))
  await at.deploy({ revision: 'r2', strategy: 'rolling', scale: { min_concurrency: 1, startup_timeout: 10 } })
  expect(await at.app()).toMatchObject({ revisionId: 'r1', rollingRevisionId: 'r2' })
  await at.pass(21 * second)
  expect((await at.app())?.rollingRevisionId).toBeUndefined()
})
