import { describe, expect, test } from 'vitest'
import { deleteApp } from '../store/apps.ts'
import { failureSince } from '../store/revisions.ts'
import { testHardware } from '../testing/hardware.ts'
import { openTestScheduler } from '../testing/scheduler.ts'

const second = 1_000

type At = Awaited<ReturnType<typeof openTestScheduler>>

const gpu = { index: 0, name: 'NVIDIA H100 80GB HBM3' }
const oneGpu = testHardware({ gpus: [gpu] })
const onGpu = { machine_types: ['GPU-H100'], max_concurrency: 1, keep_alive: 300 }

const failureOf = ({ store }: At, revision: string) => store.read(failureSince(revision, 0))

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
    expect(await failureOf(at, 'r2')).toMatch(/exit code 1[^]*the weights are missing/)
    expect(await failureOf(at, 'r2')).not.toContain('93 packages')
    expect(at.backend.alive).toEqual([old])
    expect(call.slot?.runnerId).toBe(old)
  })

  test('that is never ready ends after startup_timeout', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1' })
    await at.deploy({ revision: 'r2', strategy: 'rolling', scale: { startup_timeout: 3 } })
    await at.pass(3 * second + 1)
    expect((await at.app())?.rollingRevisionId).toBeUndefined()
    expect(await failureOf(at, 'r2')).toContain('within 3 s')
    expect(at.backend.alive).toEqual([])
  })

  test('that is the first one leaves no app when it fails', async () => {
    await using at = await openTestScheduler()
    await at.deploy({ revision: 'r1', strategy: 'rolling' })
    expect(await at.app()).toMatchObject({ rollingRevisionId: 'r1' })
    at.backend.exit(at.backend.alive[0]!, { code: 1, signal: null })
    await at.settled()
    expect(await at.app()).toBeUndefined()
    expect(await failureOf(at, 'r1')).toContain('exit code 1')
  })

  test('that finds no room beside the old runner says so when it gives up, and the old one serves on', async () => {
    await using at = await openTestScheduler({ hardware: oneGpu })
    const other = await at.deploy({ app: 'other', revision: 'o1', scale: onGpu })
    const held = at.call(other)
    await at.settled()
    const [blocker] = at.backend.alive
    await at.accept(blocker!)
    expect(held.slot?.runnerId).toBe(blocker)
    await at.deploy({ revision: 'r1', scale: { max_concurrency: 1, keep_alive: 300 } })
    const call = at.call()
    await at.settled()
    const old = at.backend.alive.at(-1)!
    await at.accept(old)
    await at.deploy({ revision: 'r2', strategy: 'rolling', scale: { ...onGpu, startup_timeout: 30 } })
    await at.pass(59 * second)
    expect(at.backend.alive).toEqual([blocker, old])
    await at.pass(2 * second)
    expect(await failureOf(at, 'r2')).toMatch(/within 60 s, for want of a place: .*GPU.*--strategy recreate/)
    expect(call.slot?.runnerId).toBe(old)
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
    expect(await failureOf(at, 'r2')).toBeUndefined()
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

  test('brings up as many runners as carried the load lately, also in a moment without requests', async () => {
    await using at = await openTestScheduler()
    const scale = { max_concurrency: 4, keep_alive: 300 }
    await at.deploy({ revision: 'r1', scale })
    const calls = Array.from({ length: 4 }, () => at.call())
    await at.settled()
    const old = at.backend.alive
    await at.accept(...old)
    for (const call of calls) call.end()
    await at.deploy({ revision: 'r2', strategy: 'rolling', scale })
    await at.accept(...at.backend.alive.slice(4))
    const fresh = at.backend.alive.filter((id) => !old.includes(id))
    expect(fresh).toHaveLength(4)
    expect(at.backend.alive.filter((id) => old.includes(id))).toHaveLength(3)

    await at.accept(...fresh)
    expect(at.backend.alive).toEqual(fresh)
    await at.pass(10 * second + 1) // nobody called: what was brought up for nothing goes
    expect(at.backend.alive).toEqual([])
  })

  test('to a revision whose runners take fewer requests at a time keeps the old until all is carried', async () => {
    await using at = await openTestScheduler()
    at.backend.obedient = false
    await at.deploy({ revision: 'r1', scale: { max_concurrency: 4, max_multiplexing: 4 } })
    const calls = Array.from({ length: 4 }, () => at.call())
    await at.settled()
    const [old] = at.backend.alive
    await at.accept(old!)
    await at.deploy({ revision: 'r2', strategy: 'rolling', scale: { max_concurrency: 4, max_multiplexing: 1 } })
    await at.accept(...at.backend.alive.slice(1))
    const fresh = at.backend.alive.slice(1)
    expect(fresh).toHaveLength(4)
    await at.accept(...fresh.slice(0, 3))
    expect(at.backend.finishing).toEqual([])
    await at.accept(...fresh)
    expect(at.backend.finishing).toEqual([old])
    expect(calls.every(({ slot }) => slot?.runnerId === old)).toBe(true)
  })

  test('to a revision whose runners take more gives an old one no more than it takes', async () => {
    await using at = await openTestScheduler()
    at.backend.obedient = false
    const scale = { max_concurrency: 2 }
    await at.deploy({ revision: 'r1', scale })
    const calls = [at.call(), at.call()]
    await at.settled()
    await at.accept(...at.backend.alive)
    await at.deploy({ revision: 'r2', strategy: 'rolling', scale: { ...scale, max_multiplexing: 4 } })
    await at.accept(...at.backend.alive.slice(2))
    expect(await at.app()).toMatchObject({ revisionId: 'r2' })
    expect(at.backend.alive).toHaveLength(3 + 1)
    calls[0]!.end()
    const more = Array.from({ length: 9 }, () => at.call())
    await at.settled()
    const held = Map.groupBy([calls[1]!, ...more], ({ slot }) => slot?.revisionId)
    expect(held.get('r1')!.length).toBeLessThanOrEqual(2)
    const perRunner = Map.groupBy(held.get('r1')!, ({ slot }) => slot?.runnerId)
    expect(Math.max(...Array.from(perRunner.values(), ({ length }) => length))).toBe(1)
  })

  test('lets the old ones go after twice the startup timeout, however few new ones there are', async () => {
    await using at = await openTestScheduler()
    at.backend.obedient = false
    const scale = { max_concurrency: 4, startup_timeout: 20 }
    await at.deploy({ revision: 'r1', scale })
    for (let call = 0; call < 4; call += 1) at.call()
    await at.settled()
    const old = at.backend.alive
    await at.accept(...old)
    await at.deploy({ revision: 'r2', strategy: 'rolling', scale })
    await at.accept(...at.backend.alive.slice(4))
    await at.pass(40 * second - 1)
    expect(at.backend.finishing).toHaveLength(1)
    await at.pass(1)
    expect(at.backend.finishing.toSorted()).toEqual(old.toSorted())
  })

  test('has what waits go to the new revision wherever one of its runners is free', async () => {
    await using at = await openTestScheduler()
    const scale = { max_concurrency: 4, keep_alive: 300 }
    await at.deploy({ revision: 'r1', scale })
    const calls = Array.from({ length: 4 }, () => at.call())
    await at.settled()
    await at.accept(...at.backend.alive)
    await at.deploy({ revision: 'r2', strategy: 'rolling', scale })
    for (const call of calls) call.end()
    await at.accept(...at.backend.alive.slice(4, 5))
    for (let turn = 0; turn < 4; turn += 1) {
      const next = at.call()
      await at.settled()
      expect(next.slot?.revisionId).toBe('r2')
      next.end()
    }
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

describe('a rollout: the same revision on new runners', () => {
  const scale = { max_concurrency: 2, keep_alive: 300 }
  const renew = ({ scheduler }: At, ids: readonly string[]) =>
    Promise.all(ids.map((id) => scheduler.stopRunner(id, { replaceFirst: true, reason: 'rollout' })))

  async function twoServing(at: At) {
    await at.deploy({ revision: 'r1', scale })
    const calls = [at.call(), at.call()]
    await at.settled()
    const old = at.backend.alive
    await at.accept(...old)
    return { calls, old }
  }

  test('starts a successor for each beyond the cap, and each that is ready releases one', async () => {
    await using at = await openTestScheduler()
    at.backend.obedient = false
    const { old } = await twoServing(at)
    const asked = renew(at, old)
    await at.settled()
    await asked
    const fresh = at.backend.alive.filter((id) => !old.includes(id))
    expect(fresh).toHaveLength(2)
    expect(at.backend.finishing).toEqual([])
    const views = await at.scheduler.listing('account-1')
    expect(views.filter(({ replacement }) => replacement === 'will').map(({ id }) => id)).toEqual(old)
    await at.accept(fresh[0]!)
    expect(at.backend.finishing).toHaveLength(1)
    await at.accept(fresh[1]!)
    expect(at.backend.finishing).toEqual(old)
    expect(await at.stored(old[0]!)).toMatchObject({ state: 'draining', reason: 'rollout' })
  })

  test('stalls while no successor comes up, and the old ones serve on', async () => {
    await using at = await openTestScheduler()
    const { calls, old } = await twoServing(at)
    const asked = renew(at, old)
    await at.settled()
    await asked
    for (const id of at.backend.alive.filter((each) => !old.includes(each)))
      at.backend.exit(id, { code: 1, signal: null })
    await at.settled()
    await at.pass(10 * second)
    expect(at.backend.alive).toEqual(old)
    expect(new Set(calls.map(({ slot }) => slot?.runnerId))).toEqual(new Set(old))
    await at.pass(60 * second) // the wait after two failed starts is over
    const fresh = at.backend.alive.filter((each) => !old.includes(each))
    expect(fresh).toHaveLength(2)
    await at.accept(...fresh)
    expect(at.backend.alive).toEqual(fresh)
  })

  test('stalls where the machine has no room for a successor, and goes on when there is', async () => {
    await using at = await openTestScheduler({ hardware: testHardware({ gpus: [gpu, { ...gpu, index: 1 }] }) })
    const other = await at.deploy({ app: 'other', revision: 'o1', scale: { ...onGpu, min_concurrency: 1 } })
    const [blocker] = at.backend.alive
    await at.deploy({ revision: 'r1', scale: { ...onGpu, min_concurrency: 1 } })
    const old = at.backend.alive[1]!
    await at.accept(blocker!, old)
    const asked = renew(at, [old])
    await at.settled()
    await asked
    await at.pass(100 * second)
    expect(at.backend.alive).toEqual([blocker, old])
    await at.store.commit(deleteApp(other, at.clock.now()))
    await at.apps.refresh()
    await at.settled()
    const fresh = at.backend.alive.at(-1)!
    expect(fresh).not.toBe(old)
    await at.accept(fresh)
    expect(at.backend.alive).toEqual([fresh])
  })

  test('by force ends all at once, and the load has new ones started', async () => {
    await using at = await openTestScheduler()
    const { old } = await twoServing(at)
    at.call()
    const asked = Promise.all(old.map((id) => at.scheduler.killRunner(id, 'rollout')))
    await at.settled()
    await asked
    expect(at.backend.alive.filter((id) => old.includes(id))).toEqual([])
    expect(at.backend.alive.length).toBeGreaterThan(0)
    expect(await at.stored(old[0]!)).toMatchObject({ state: 'terminated', reason: 'rollout' })
  })
})

test('an app that is to be warm has a runner although nobody calls, until one has served', async () => {
  await using at = await openTestScheduler()
  await at.deploy({ revision: 'r1' })
  at.scheduler.warm('hello', 'r1')
  await at.settled()
  expect(at.backend.started).toMatchObject([{ revisionId: 'r1' }])
  await at.accept(...at.backend.alive)
  await at.pass(10 * second)
  expect(at.backend.alive).toEqual([])
  await at.pass(second)
  expect(at.backend.started).toHaveLength(1)
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
