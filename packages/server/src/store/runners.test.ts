import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { drain, killBy, pend, place, start, terminate, type LiveRunner, type Serving } from '../domain/runner.ts'
import { registerTestRevision } from '../testing/scheduler.ts'
import { addTestAccount, openTestStore, type TestStore } from '../testing/store.ts'
import { addRunner, endedRunnersSince, liveRunners, runnerById, saveRunner } from './runners.ts'

const now = 1_000_000

describe('runners', () => {
  let store: TestStore
  let count = 0
  beforeAll(async () => {
    store = await openTestStore()
    await addTestAccount(store)
    await registerTestRevision(store, { revision: 'r1' }, now)
  })
  afterAll(() => store.close())

  function identity() {
    const id = `runner-${(count += 1)}`
    return {
      id,
      appId: 'hello',
      accountId: 'account-1',
      revisionId: 'r1',
      machineType: 'XS',
      createdAt: now,
      keyId: 'k',
    }
  }

  function inEveryState(): LiveRunner[] {
    const pending = pend(identity(), now + 5)
    const setup = start(pend(identity(), now), 600_000, now)
    const serving: Serving = { ...identity(), state: 'serving', address: { host: '::1', port: 80 }, readyAt: now + 1 }
    const draining = drain({ ...serving, ...identity() }, 'stopped', now + 2)
    return [pending, setup, serving, draining, killBy({ ...draining, ...identity() }, now + 3)]
  }

  test('come back as they were stored, in every state', async () => {
    for (const runner of inEveryState()) {
      expect(await store.commit(addRunner(runner))).toBe(true)
      expect(await store.read(runnerById(runner.id))).toEqual(runner)
      const next = terminate(runner, 'crash', now + 9, { code: null, signal: 'SIGSEGV' })
      expect(await store.commit(saveRunner(runner.state, next))).toBe(true)
      expect(await store.read(runnerById(runner.id))).toEqual(next)
    }
    expect(await store.read(liveRunners())).toEqual([])
  })

  test('get their place when they start, and keep it on record', async () => {
    const pending = pend(identity(), now)
    const placement = { machineId: 'box', machineType: 'GPU-H100', cpus: 0.5, memoryBytes: 2 ** 37, gpus: [0, 7] }
    const setup = start(place(pending, placement), 600_000, now)
    expect(setup).toMatchObject({ machineType: 'GPU-H100', placement })
    await store.commit(addRunner(pending))
    expect(await store.commit(saveRunner('pending', setup))).toBe(true)
    expect(await store.read(runnerById(setup.id))).toEqual(setup)
    const ended = terminate(setup, 'killed', now)
    await store.commit(saveRunner('setup', ended))
    expect(await store.read(runnerById(setup.id))).toEqual(ended)
  })

  test('change only from the state that they are in', async () => {
    const setup = start(pend(identity(), now), 600_000, now)
    await store.commit(addRunner(setup))
    const serving: Serving = {
      ...identity(),
      id: setup.id,
      state: 'serving',
      address: { host: '::1', port: 8 },
      readyAt: 1,
    }
    expect(await store.commit(saveRunner('pending', serving))).toBe(false)
    expect(await store.read(runnerById(setup.id))).toEqual(setup)
    expect(await store.commit(addRunner(setup))).toBe(false)
    await store.commit(saveRunner('setup', terminate(setup, 'stopped', now)))
  })

  test('that ended are listed by account and by when they ended', async () => {
    const live = pend(identity(), now)
    const early = pend(identity(), now)
    const late = pend(identity(), now)
    for (const runner of [live, early, late]) await store.commit(addRunner(runner))
    await store.commit(saveRunner('pending', terminate(early, 'killed', now + 1_000)))
    await store.commit(saveRunner('pending', terminate(late, 'killed', now + 2_000)))
    const ids = (runners: readonly { id: string }[]) => runners.map(({ id }) => id)
    expect(ids(await store.read(liveRunners()))).toEqual([live.id])
    expect(await store.read(endedRunnersSince('somebody', now))).toEqual([])
    expect(ids(await store.read(endedRunnersSince('account-1', now + 1_000)))).toEqual([late.id, early.id])
  })
})
