import { describe, expect, test } from 'vitest'
import { blockSentence } from '../domain/decision-words.ts'
import { changedScale, type ScaleChanges } from '../domain/scale.ts'
import { updateScale } from '../store/apps.ts'
import { testHardware } from '../testing/hardware.ts'
import { scalingTables } from '../testing/scaling-tables.ts'
import { openTestScheduler, type Call } from '../testing/scheduler.ts'

const second = 1_000

type TestScheduler = Awaited<ReturnType<typeof openTestScheduler>>

/** What `fal apps scale` does. */
async function scale(at: TestScheduler, changes: ScaleChanges): Promise<void> {
  const app = (await at.app())!
  await at.store.commit(updateScale(app, changedScale(app.scale, changes), undefined, at.clock.now()))
  await at.apps.refresh()
  await at.settled()
}

/** Every runner that was started serves. */
async function ready(at: TestScheduler): Promise<void> {
  await at.settled()
  await at.accept(...at.backend.alive)
}

describe.each(scalingTables)('the worked example $name', ({ scale: changes, rows }) => {
  test('has the runners of its table, whatever comes, and goes back when it is over', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1', scale: { ...changes, keep_alive: 5 } })
    const calls: Call[] = []
    for (const { volume, desired } of rows) {
      while (calls.length < volume) calls.push(at.call())
      await ready(at)
      expect([volume, at.backend.alive.length]).toEqual([volume, desired])
      expect(at.scheduler.decisions('hello').now).toMatchObject({
        scaling: { counted: desired, atMost: { volume, desired } },
        steps: [],
      })
    }
    for (const call of calls) call.end()
    await at.settled()
    for (const call of calls) call.end()
    await at.pass(5 * second)
    expect(at.backend.alive).toHaveLength(rows[0]!.desired)
  })
})

describe('a setting that is changed while an app runs', () => {
  test('counts at the next decision, and restarts nothing', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1', scale: { max_concurrency: 1, keep_alive: 60 } })
    const calls = [at.call(), at.call(), at.call()]
    await ready(at)
    const [first] = at.backend.alive
    await scale(at, { max_multiplexing: 2 })
    expect(calls.map(({ slot }) => slot?.runnerId)).toEqual([first, first, undefined])
    await scale(at, { max_concurrency: 2, machine_types: ['L'] })
    await ready(at)
    const [, second_] = at.backend.alive
    expect(at.backend.alive).toEqual([first, second_])
    expect(calls.map(({ slot }) => slot?.runnerId)).toEqual([first, first, second_])
    expect(await at.stored(first!)).toMatchObject({ state: 'serving', machineType: 'XS' })
    expect(await at.stored(second_!)).toMatchObject({ machineType: 'L' })
    expect(at.backend.started).toHaveLength(2)
  })

  test('floor and buffer are filled at once, whatever scaling_delay is', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1', scale: { max_concurrency: 9, scaling_delay: 600 } })
    await scale(at, { min_concurrency: 2 })
    expect(at.backend.alive).toHaveLength(2)
    await scale(at, { concurrency_buffer: 3 })
    expect(at.backend.alive).toHaveLength(3)
  })

  test('a lower cap lets idle runners go at once, and busy ones when they are done', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1', scale: { min_concurrency: 3, max_concurrency: 3, keep_alive: 600 } })
    await at.accept(...at.backend.alive)
    const calls = [at.call(), at.call()]
    await at.settled()
    await scale(at, { min_concurrency: 0, max_concurrency: 1 })
    expect(at.backend.alive).toHaveLength(2)
    calls[0]!.end()
    await at.pass(1 * second)
    expect(at.backend.alive).toEqual([calls[1]!.slot?.runnerId])
  })

  test('startup_timeout counts for the runners that are starting, too', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1', scale: { startup_timeout: 10, min_concurrency: 1 } })
    const [slow] = at.backend.alive
    await at.pass(9 * second)
    await scale(at, { startup_timeout: 60 })
    await at.pass(40 * second)
    expect(at.backend.alive).toEqual([slow])
    await scale(at, { startup_timeout: 20 })
    await at.settled()
    expect(at.backend.alive).toEqual([])
    expect(await at.stored(slow!)).toMatchObject({ reason: 'startup_timeout' })
  })
})

test('a request starts a runner when it has waited for scaling_delay, and says how long that is', async () => {
  await using at = await openTestScheduler()
  await at.deploy({ revision: 'r1', scale: { scaling_delay: 5 } })
  at.call()
  await at.pass(3 * second)
  const [block] = at.scheduler.decisions('hello').now.blocks
  expect(blockSentence(block!, 'ann/hello', at.clock.now())).toContain('scaling_delay (5 s): 2 s more')
  expect(at.backend.alive).toEqual([])
  await at.pass(2 * second)
  expect(at.backend.alive).toHaveLength(1)
})

describe('of an app is kept', () => {
  const kept = (at: TestScheduler) => at.scheduler.decisions('hello').kept

  test('each decision that started or ended runners, with the runners', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1', scale: { keep_alive: 5 } })
    const call = at.call()
    await ready(at)
    const [runner] = at.backend.alive
    call.end()
    await at.pass(5 * second)
    expect(kept(at).map(({ decision }) => decision.steps)).toEqual([
      [{ kind: 'drain', runner, cause: 'keep_alive', idleMs: 5_000, limitMs: 5_000, used: true }],
      [{ kind: 'start', cause: 'demand', runners: [runner], count: 1 }],
    ])
  })

  test('what kept it from more, once for as long as nothing is new', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1', scale: { max_concurrency: 1 } })
    for (let calls = 0; calls < 3; calls += 1) at.call()
    await ready(at)
    for (let passes = 0; passes < 5; passes += 1) await at.pass(1 * second)
    const [last, ...before] = kept(at)
    expect(last?.decision.blocks).toEqual([{ kind: 'max_concurrency', wanted: 3, cap: 1 }])
    expect(last?.times).toBeGreaterThan(5)
    expect(before).toHaveLength(1)
  })

  test('that crashed starts hold the next one back, and by which runner', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1' })
    at.call()
    await at.settled()
    const [broken] = at.backend.alive
    at.backend.exit(broken!, { code: 3, signal: null })
    await at.settled()
    expect(at.scheduler.decisions('hello').now.blocks).toMatchObject([
      { kind: 'backoff', failures: 1, failed: { runnerId: broken, reason: 'startup_failure', exit: { code: 3 } } },
    ])
    expect(kept(at).at(0)?.decision.blocks).toHaveLength(1)
    await at.pass(30 * second)
    await ready(at)
    expect(at.scheduler.decisions('hello').now.blocks).toEqual([])
  })

  test('that the account may have no more runners, until one has gone', async () => {
    await using at = await openTestScheduler({ hardware: testHardware({}, { runnersPerAccount: 1 }) })
    await at.deploy({ revision: 'r1', scale: { min_concurrency: 2 } })
    const why = { kind: 'account_runners', limit: 1 }
    expect(at.scheduler.decisions('hello').now).toMatchObject({
      there: { pending: 1, starting: 1 },
      steps: [],
      blocks: [{ kind: 'no_place', runners: 1, why }],
    })
    for (let passes = 0; passes < 3; passes += 1) await at.pass(20 * second)
    const [last, first, ...others] = kept(at)
    expect(others).toEqual([])
    expect(first?.decision).toMatchObject({ steps: [{ kind: 'start', count: 2 }], blocks: [{ kind: 'no_place', why }] })
    expect(last?.decision.steps).toEqual([])
  })

  test('which of two that have been idle for equally long went: the costlier one', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1', scale: { min_concurrency: 1, machine_types: ['XS'], keep_alive: 5 } })
    await scale(at, { machine_types: ['L'], min_concurrency: 2 })
    await ready(at)
    const [, large] = at.backend.alive
    await scale(at, { min_concurrency: 0, concurrency_buffer: 1 })
    await at.pass(5 * second)
    expect(kept(at)[0]?.decision.steps).toMatchObject([{ kind: 'drain', runner: large }])
  })

  test('nothing while it is as it should be, and nothing of an app that is gone', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1', scale: { min_concurrency: 1 } })
    await at.accept(...at.backend.alive)
    const before = kept(at)
    for (let passes = 0; passes < 5; passes += 1) await at.pass(60 * second)
    expect(kept(at)).toEqual(before)
    expect(before).toHaveLength(1)
  })
})
