import { describe, expect, test } from 'vitest'
import { openTestScheduler } from '../testing/scheduler.ts'

const second = 1_000

describe('a rolling deploy', () => {
  test('starts one runner, and the app moves when it is ready', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1' })
    await at.deploy({ revision: 'r2', strategy: 'rolling', scale: { max_multiplexing: 4 } })
    expect(at.backend.started).toMatchObject([{ revisionId: 'r2' }])
    expect(await at.app()).toMatchObject({ revisionId: 'r1', rollingRevisionId: 'r2' })
    await at.accept(...at.backend.alive)
    expect(await at.app()).toMatchObject({ revisionId: 'r2', scale: { max_multiplexing: 4 } })
    expect((await at.app())?.rollingRevisionId).toBeUndefined()
  })

  test('that fails to start leaves the old revision serving and says why', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1' })
    const call = at.call()
    await at.settled()
    const [old] = at.backend.alive
    await at.accept(old!)
    await at.deploy({ revision: 'r2', strategy: 'rolling' })
    const [, fresh] = at.backend.alive
    at.backend.say(fresh!, '[debug] 93 packages are installed')
    at.backend.say(fresh!, 'RuntimeError: the weights are missing', 'stderr')
    at.backend.exit(fresh!, { code: 1, signal: null })
    await at.settled()
    expect((await at.app())?.rollingRevisionId).toBeUndefined()
    expect(await at.app()).toMatchObject({ revisionId: 'r1' })
    expect(at.scheduler.failureOf('r2')).toMatch(/exit code 1[^]*the weights are missing/)
    expect(at.scheduler.failureOf('r2')).not.toContain('93 packages')
    expect(at.backend.alive).toEqual([old])
    expect(call.slot?.runnerId).toBe(old)
  })

  test('that is never ready ends after startup_timeout', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1' })
    await at.deploy({ revision: 'r2', strategy: 'rolling', scale: { startup_timeout: 3 } })
    await at.pass(3 * second + 1)
    expect((await at.app())?.rollingRevisionId).toBeUndefined()
    expect(at.scheduler.failureOf('r2')).toContain('within 3 s')
    expect(at.backend.alive).toEqual([])
  })

  test('that is the first one leaves no app when it fails', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1', strategy: 'rolling' })
    expect(await at.app()).toMatchObject({ rollingRevisionId: 'r1' })
    at.backend.exit(at.backend.alive[0]!, { code: 1, signal: null })
    await at.settled()
    expect(await at.app()).toBeUndefined()
    expect(at.scheduler.failureOf('r1')).toContain('exit code 1')
  })

  test('gives way to a newer one', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1' })
    await at.deploy({ revision: 'r2', strategy: 'rolling' })
    const [older] = at.backend.alive
    await at.deploy({ revision: 'r3', strategy: 'rolling' })
    expect(at.backend.alive).toHaveLength(1)
    expect(await at.stored(older!)).toMatchObject({ state: 'terminated', reason: 'deploy' })
    await at.accept(...at.backend.alive)
    expect(await at.app()).toMatchObject({ revisionId: 'r3' })
    expect(at.scheduler.failureOf('r2')).toBeUndefined()
  })

  test('hands over without a gap: old runners serve until new ones carry as much', async () => {
    await using at = await openTestScheduler()
    at.backend.obedient = false
    const scale = { max_concurrency: 4 }
    await at.deploy({ revision: 'r1', scale })
    const calls = Array.from({ length: 4 }, () => at.call())
    await at.settled()
    const old = at.backend.alive
    await at.accept(...old)
    await at.deploy({ revision: 'r2', strategy: 'rolling', scale })
    await at.accept(...at.backend.alive.slice(4))
    expect(await at.app()).toMatchObject({ revisionId: 'r2' })

    // One new runner serves, so one old one finishes; three more start.
    const fresh = at.backend.alive.filter((id) => !old.includes(id))
    expect(fresh).toHaveLength(4)
    expect(at.backend.finishing).toHaveLength(1)
    await at.accept(fresh[1]!)
    expect(at.backend.finishing).toHaveLength(2)
    await at.accept(...fresh)
    expect(at.backend.finishing).toEqual(old)

    for (const call of calls) call.end()
    for (const id of old) at.backend.exit(id)
    await at.settled()
    expect(at.backend.alive).toEqual(fresh)
  })

  test('of an app without traffic leaves only the new revision', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1', scale: { keep_alive: 300 } })
    const call = at.call()
    await at.settled()
    await at.accept(...at.backend.alive)
    call.end()
    await at.deploy({ revision: 'r2', strategy: 'rolling', scale: { keep_alive: 300 } })
    const [, fresh] = at.backend.alive
    await at.accept(fresh!)
    expect(at.backend.alive).toEqual([fresh])
    const next = at.call()
    await at.settled()
    expect(next.slot?.revisionId).toBe('r2')
  })
})

test('a recreate deploy moves the app at once; the next call starts the new revision', async () => {
  await using at = await openTestScheduler()
  await at.deploy({ revision: 'r1', scale: { keep_alive: 300 } })
  const call = at.call()
  await at.settled()
  const [old] = at.backend.alive
  await at.accept(old!)
  call.end()
  await at.deploy({ revision: 'r2' })
  expect(at.backend.alive).toEqual([])
  expect(await at.stored(old!)).toMatchObject({ reason: 'deploy' })
  at.call()
  await at.settled()
  expect(at.backend.started.at(-1)).toMatchObject({ revisionId: 'r2' })
})

test('what works at a time stays within max_concurrency, also while another runner finishes', async () => {
  await using at = await openTestScheduler()
  at.backend.obedient = false
  await at.deploy({ revision: 'r1', scale: { max_concurrency: 1 } })
  const long = at.call()
  await at.settled()
  await at.accept(...at.backend.alive)
  await at.deploy({ revision: 'r2', strategy: 'rolling', scale: { max_concurrency: 1 } })
  await at.accept(...at.backend.alive.slice(-1))
  const next = at.call()
  await at.settled()
  expect(long.slot?.revisionId).toBe('r1')
  expect(next.slot).toBeUndefined()
  long.end()
  await expect.poll(() => next.slot?.revisionId).toBe('r2')
})
