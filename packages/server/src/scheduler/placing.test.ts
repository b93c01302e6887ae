import { pend, place, start } from '../domain/runner.ts'
import { addRunner } from '../store/runners.ts'
import { afterEach, expect, test } from 'vitest'
import type { RunnerId } from '../domain/ids.ts'
import { FakeBackend } from '../testing/fake-backend.ts'
import { testHardware } from '../testing/hardware.ts'
import { openTestScheduler, registerTestRevision } from '../testing/scheduler.ts'
import { addTestAccount, openTestStore } from '../testing/store.ts'

const gpus = (count: number) => Array.from({ length: count }, (_, index) => ({ index, name: 'NVIDIA H100 80GB HBM3' }))
const onGpus = { machine_types: ['GPU-H100'], max_concurrency: 8 }

let at: Awaited<ReturnType<typeof openTestScheduler>>
afterEach(() => at[Symbol.asyncDispose]())

const open = async (...hardware: Parameters<typeof testHardware>) => {
  at = await openTestScheduler({ hardware: testHardware(...hardware) })
}
const views = () => at.scheduler.listing('account-1')
const gpusOf = async (id: RunnerId) => (await at.stored(id))?.placement?.gpus
const waiting = async () => (await views()).filter(({ state }) => state === 'pending')

test('a runner is told on record where it is, and the backend what it may use', async () => {
  await open({ gpus: gpus(2) })
  await at.deploy({
    revision: 'r1',
    scale: { ...onGpus, machine_types: ['GPU-B200', 'GPU-H100'], min_concurrency: 1, num_gpus: 2 },
  })
  const [id] = at.backend.alive
  expect(await at.stored(id!)).toMatchObject({
    machineType: 'GPU-H100',
    placement: { machineId: 'box', cpus: 24, gpus: [0, 1] },
  })
  expect((await views())[0]).toMatchObject({ machineType: 'GPU-H100', placement: { gpus: [0, 1] } })
})

test('runners without a place stay pending and say why; the place of one that ends is the next one’s', async () => {
  await open({ gpus: gpus(2) })
  await at.deploy({ revision: 'r1', scale: { ...onGpus, min_concurrency: 3 } })
  const [one, two] = at.backend.alive
  expect([await gpusOf(one!), await gpusOf(two!)]).toEqual([[0], [1]])
  const [third] = await waiting()
  expect(third).toMatchObject({
    machineType: 'GPU-H100',
    waitsFor: { kind: 'no_room', lacks: [{ machineType: 'GPU-H100', of: 'gpus', needs: 1, free: 0 }] },
  })
  await at.accept(one!, two!)
  await at.scheduler.killRunner(two!)
  await at.settled()
  expect(await gpusOf(third!.id)).toEqual([1])
  expect((await views()).find(({ id }) => id === third!.id)).not.toHaveProperty('waitsFor')
})

test('apps get places in the order in which their runners were wanted', async () => {
  await open({ gpus: gpus(1) })
  await at.deploy({ app: 'first', revision: 'a1', scale: { ...onGpus, min_concurrency: 1 } })
  const [holder] = at.backend.alive
  const third = await at.deploy({ app: 'zebra', revision: 'z1', scale: { ...onGpus, min_concurrency: 1 } })
  await at.pass(10)
  const fourth = await at.deploy({ app: 'ant', revision: 'b1', scale: { ...onGpus, min_concurrency: 1 } })
  await at.pass(10)
  expect((await waiting()).map(({ appId }) => appId)).toEqual([third, fourth])
  at.backend.exit(holder!)
  await at.settled()
  const running = (await views()).find(({ state }) => state === 'setup')
  expect(running?.appId).toBe('zebra')
})

test('a runner that drains keeps its place until it has ended', async () => {
  await open({ gpus: gpus(1) })
  await at.deploy({ revision: 'r1', scale: { ...onGpus, min_concurrency: 1 } })
  const [one] = at.backend.alive
  await at.accept(one!)
  at.backend.obedient = false
  await at.scheduler.stopRunner(one!, { replaceFirst: false })
  await at.settled()
  expect(at.backend.finishing).toEqual([one])
  expect(await waiting()).toHaveLength(1)
  at.backend.exit(one!)
  await at.settled()
  expect(await waiting()).toEqual([])
  expect(await gpusOf(at.backend.alive[0]!)).toEqual([0])
})

test('a successor needs a place like any other, and the one before it serves on meanwhile', async () => {
  await open({ gpus: gpus(1) })
  await at.deploy({ revision: 'r1', scale: { ...onGpus, min_concurrency: 1 } })
  const [one] = at.backend.alive
  await at.accept(one!)
  await at.scheduler.stopRunner(one!, { replaceFirst: true })
  await at.settled()
  expect(at.backend.alive).toEqual([one])
  expect((await waiting())[0]?.waitsFor?.kind).toBe('no_room')
})

test('a request that finds no room waits, and is served when there is some', async () => {
  await open({ cpus: 1 })
  await at.deploy({ app: 'big', revision: 'b1', scale: { machine_types: ['S'], min_concurrency: 1 } })
  const [big] = at.backend.alive
  await at.deploy({ revision: 'r1', scale: { machine_types: ['S'] } })
  const call = at.call()
  await at.settled()
  expect(at.backend.alive).toEqual([big])
  expect(call.slot).toBeUndefined()
  at.backend.exit(big!)
  await at.settled()
  const { id } = (await views()).find(({ appId, state }) => appId === 'hello' && state === 'setup')!
  await at.accept(id)
  expect(call.slot).toBeDefined()
  call.end()
})

test('one that is wanted no longer goes without having had a place', async () => {
  await open({ cpus: 1 })
  await at.deploy({ revision: 'r1', scale: { machine_types: ['S'] } })
  const calls = [at.call(), at.call()]
  await at.settled()
  expect(await waiting()).toHaveLength(1)
  await at.accept(...at.backend.alive)
  for (const call of calls) call.end()
  await at.settled()
  expect(await waiting()).toEqual([])
})

test('the caps of an account and of a machine hold', async () => {
  await open({}, { runnersPerAccount: 2 })
  await at.deploy({ revision: 'r1', scale: { min_concurrency: 5 } })
  expect(at.backend.alive).toHaveLength(2)
  expect((await waiting()).map(({ waitsFor }) => waitsFor)).toEqual(
    [1, 2, 3].map(() => ({ kind: 'account_runners', limit: 2 })),
  )
})

test('after a restart the places are those of the runners that there are now, and ended ones keep theirs on record', async () => {
  const store = await openTestStore()
  await addTestAccount(store)
  await registerTestRevision(store, { revision: 'r1', scale: { ...onGpus, min_concurrency: 2 } }, 1)
  const placement = { machineId: 'box', machineType: 'GPU-H100', cpus: 12, memoryBytes: 1, gpus: [0, 1] }
  const machine = { appId: 'hello', accountId: 'account-1', revisionId: 'r1', machineType: 'GPU-H100', createdAt: 1 }
  const former = start(place(pend({ ...machine, id: 'former' }, 1), placement), 1_000, 1)
  await store.commit(addRunner(former))
  const backend = new FakeBackend()
  await backend.start({
    id: 'former',
    appId: 'hello',
    revisionId: 'r1',
    accountId: 'a1',
    command: [],
    variables: {},
    mounts: [],
  })

  at = await openTestScheduler({ store, backend, hardware: testHardware({ gpus: gpus(2) }) })
  await at.settled()
  expect(at.backend.alive).toHaveLength(2)
  expect(await Promise.all(at.backend.alive.map(gpusOf))).toEqual([[0], [1]])
  expect(await at.stored('former')).toMatchObject({ state: 'terminated', reason: 'server_restart', placement })
})

test('nothing is started for an account that has spent what it may, and what is there goes on', async () => {
  await open()
  await at.deploy({ revision: 'r1', scale: { min_concurrency: 1, max_concurrency: 2 } })
  const [id] = at.backend.alive
  await at.accept(id!)
  const budget = { limit: 10, spent: 12.5, currency: 'EUR', until: at.clock.now() + 100_000 }
  at.budgets.set(new Map([['account-1', budget]]))
  const calls = [at.call(), at.call()]
  await at.settled()
  expect(calls.map(({ slot }) => slot?.runnerId)).toEqual([id, undefined])
  expect(at.scheduler.unplacedOf('hello')).toEqual({ kind: 'budget', budget })
  expect(at.scheduler.isOverBudget('hello')).toBe(false) // one serves
  at.backend.exit(id!)
  await at.settled()
  expect(at.scheduler.isOverBudget('hello')).toBe(true)
  expect(at.scheduler.decisions('hello').now.blocks).toEqual([
    expect.objectContaining({ kind: 'no_place', why: { kind: 'budget', budget } }),
  ])
  await at.pass(100_001) // another month
  expect(at.backend.alive).toHaveLength(1)
  expect(at.scheduler.isOverBudget('hello')).toBe(false)
})
