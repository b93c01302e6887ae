import { describe, expect, onTestFinished, test } from 'vitest'
import type { HealthCheck } from '../domain/revision.ts'
import { openTestRunner } from '../testing/runner.ts'
import { openTestScheduler } from '../testing/scheduler.ts'

const second = 1_000
const check: HealthCheck = {
  path: '/health',
  method: 'GET',
  startPeriodSeconds: 30,
  timeoutSeconds: 1,
  failureThreshold: 3,
  callRegularly: true,
}

/** Something that answers health checks as it is told to, and counts them. */
async function patient() {
  const state = { status: 200, asked: 0 }
  const runner = await openTestRunner((_, res) => {
    state.asked += 1
    res.writeHead(state.status).end()
  })
  onTestFinished(() => runner[Symbol.asyncDispose]())
  return { state, address: runner.address }
}

async function deployed(changes: Partial<HealthCheck> = {}, scale = {}) {
  const at = await openTestScheduler()
  onTestFinished(() => at[Symbol.asyncDispose]())
  const scaled = { min_concurrency: 1, startup_timeout: 20, ...scale }
  await at.deploy({ revision: 'r1', scale: scaled, healthCheck: { ...check, ...changes } })
  const [id = ''] = at.backend.alive
  const { state, address } = await patient()
  return { at, id, state, address, reason: async () => await at.stored(id) }
}

describe('a runner whose app declares a health check', () => {
  test('gets no request before the check has passed, although its port is open', async () => {
    const { at, id, state, address } = await deployed()
    state.status = 500
    const call = at.call()
    at.backend.accept(id, address)
    await at.settled()
    await expect.poll(() => state.asked).toBeGreaterThan(1)
    await at.settled()
    expect([(await at.stored(id))?.state, call.slot]).toEqual(['setup', undefined])
    state.status = 200
    await expect.poll(async () => (await at.stored(id))?.state).toBe('serving')
    await expect.poll(() => call.slot?.runnerId).toBe(id)
  })

  test('is waited for no longer than for its port, and its logs say what was wrong', async () => {
    const { at, id, state, address } = await deployed({ callRegularly: false })
    state.status = 418
    at.backend.accept(id, address)
    await at.settled()
    await expect.poll(() => state.asked).toBeGreaterThan(1)
    await at.pass(20 * second + 1)
    expect(await at.stored(id)).toMatchObject({ state: 'terminated', reason: 'startup_timeout' })
    expect(at.lines.at(-1)).toMatchObject({
      source: 'bridge',
      message: expect.stringMatching(/GET \/health did not pass before startup_timeout.*answered 418/),
    })
  })

  async function serving(changes: Partial<HealthCheck> = {}, scale = {}) {
    const all = await deployed(changes, scale)
    all.at.backend.accept(all.id, all.address)
    await expect.poll(async () => (await all.at.stored(all.id))?.state).toBe('serving')
    all.state.asked = 0
    /** Lets time pass, and waits until what that called for has happened. */
    const turn = async (asked: number, ms = 15 * second) => {
      await all.at.pass(ms)
      await expect.poll(() => all.state.asked).toBe(asked)
      await all.at.settled()
    }
    return { ...all, turn }
  }

  test('is asked every 15 s and replaced at the third failure in a row, with a word in its logs', async () => {
    const { at, id, state, turn } = await serving()
    await turn(0, 14.9 * second)
    await turn(1, 0.1 * second)
    await turn(2)
    state.status = 500
    await turn(3)
    await turn(4)
    state.status = 200
    await turn(5)
    state.status = 500
    await turn(6)
    await turn(7)
    expect((await at.stored(id))?.state).toBe('serving')
    await turn(8)
    await expect.poll(async () => (await at.stored(id))?.state).toBe('terminated')
    expect(await at.stored(id)).toMatchObject({ reason: 'health_check' })
    expect(at.lines.map(({ message }) => message)).toContainEqual(
      expect.stringMatching(/GET \/health failed 3 times in a row.*answered 500/),
    )
    await at.settled()
    expect(at.backend.alive).toHaveLength(1)
  })

  test('has its start period first, or its start-up time where that is longer', async () => {
    const { at, id, state, turn } = await serving({ failureThreshold: 1 }, { startup_timeout: 100 })
    state.status = 500
    for (let asked = 1; asked <= 6; asked += 1) await turn(asked)
    expect((await at.stored(id))?.state).toBe('serving')
    await turn(7)
    await expect.poll(async () => (await at.stored(id))?.state).toBe('terminated')
  })

  test('is let alone while it works, where the app says so', async () => {
    const { at, id, turn } = await serving({ allowOnBusy: false })
    const call = at.call()
    await at.settled()
    expect(call.slot?.runnerId).toBe(id)
    await turn(0, 300 * second)
    call.end()
    await turn(1)
  })

  test('is not asked by itself where call_regularly is off', async () => {
    const { turn } = await serving({ callRegularly: false })
    await turn(0, 300 * second)
  })

  test('is made once more for a call that went badly while it was made', async () => {
    const { at, id, state } = await serving({ callRegularly: false })
    for (let calls = 0; calls < 3; calls += 1) at.scheduler.verdict(id, 'probe', 'health_check')
    await expect.poll(() => state.asked).toBe(2)
    await at.settled()
    expect(state.asked).toBe(2)
    expect((await at.stored(id))?.state).toBe('serving')
  })

  test('is ended at the first failure when a call asks, whatever start period and threshold are', async () => {
    const { at, id, state } = await serving({ callRegularly: false, startPeriodSeconds: 10_000 })
    at.scheduler.verdict(id, 'probe', 'health_check')
    await expect.poll(() => state.asked).toBe(1)
    await at.settled()
    expect((await at.stored(id))?.state).toBe('serving')
    state.status = 500
    at.scheduler.verdict(id, 'probe', 'health_check')
    await expect.poll(async () => (await at.stored(id))?.state).toBe('terminated')
  })

  test('is asked no more once it is asked to end', async () => {
    const { at, id, turn } = await serving()
    at.backend.obedient = false
    const call = at.call()
    await at.settled()
    await at.scheduler.stopRunner(id, { replaceFirst: false })
    await turn(0, 60 * second)
    call.end()
  })
})

test('a runner that failed has its grace: SIGTERM first, and SIGKILL when that is over', async () => {
  await using at = await openTestScheduler()
  at.backend.obedient = false
  await at.deploy({ revision: 'r1', scale: { min_concurrency: 1 } })
  const [id = ''] = at.backend.alive
  await at.accept(id)
  at.scheduler.verdict(id, 'terminate', 'crash')
  await at.settled()
  expect(at.backend.finishing).toEqual([id])
  await at.pass(4.9 * second)
  expect(at.backend.alive).toContain(id)
  await at.pass(0.1 * second)
  expect(at.backend.alive).not.toContain(id)
  expect(await at.stored(id)).toMatchObject({ reason: 'crash', exit: { signal: 'SIGKILL' } })
})
