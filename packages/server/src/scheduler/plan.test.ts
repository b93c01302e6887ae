import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { LiveRunner } from '../domain/runner.ts'
import { anyMade, anyScale, anyWorld, ended, loaded, worldNow as now, worldOf } from '../testing/app-worlds.ts'
import { offered } from './offer.ts'
import { mostPending, planApp } from './plan.ts'

describe('too many runners', () => {
  test('the longest idle go first, and only as many as are too many', () => {
    const world = worldOf({ keep_alive: 5, min_concurrency: 1 }, [
      { state: 'serving', idleForMs: 6_000 },
      { state: 'serving', idleForMs: 9_000 },
    ])
    expect(ended(planApp(world, now).actions)).toEqual(['serving-1'])
  })

  test('of those that have been idle for equally long the costliest goes first', () => {
    const costOf = ({ machineType }: LiveRunner) => ({ 'GPU-H100': 10, XS: 1 })[machineType] ?? 0
    const costliestFirst = (one: LiveRunner, other: LiveRunner) => costOf(other) - costOf(one)
    const world = worldOf(
      { keep_alive: 5, min_concurrency: 2 },
      [
        { state: 'serving', idleForMs: 6_000 },
        { state: 'serving', idleForMs: 6_000, machineType: 'GPU-H100' },
        { state: 'serving', idleForMs: 5_500, machineType: 'GPU-H100' },
      ],
      { costliestFirst },
    )
    expect(ended(planApp(world, now).actions)).toEqual(['serving-1'])
  })

  test('starts that wait are cancelled from the last one on', () => {
    const world = worldOf({ min_concurrency: 1 }, [{ state: 'pending' }, { state: 'pending' }, { state: 'pending' }])
    expect(ended(planApp(world, now).actions)).toEqual(['pending-2', 'pending-1'])
  })

  test('the moment at which the next one goes is known', () => {
    const world = worldOf({ keep_alive: 5 }, [{ state: 'serving', idleForMs: 2_000 }])
    expect(planApp(world, now)).toMatchObject({ actions: [], moments: [now + 3_000] })
  })

  test('a start that waits is cancelled at once, one under way is not', () => {
    const world = worldOf({}, [{ state: 'pending' }, { state: 'setup' }])
    expect(ended(planApp(world, now).actions)).toEqual(['pending-0'])
  })

  test('above the cap an idle runner goes at once, and a start under way too', () => {
    const world = worldOf({ max_concurrency: 1, keep_alive: 300 }, [
      { state: 'serving' },
      { state: 'serving', inFlight: 1 },
      { state: 'setup' },
    ])
    expect(ended(planApp(world, now).actions)).toEqual(['setup-2', 'serving-0'])
  })
})

describe('an app that asks for more runners than any machine has', () => {
  const most = 2_147_483_647
  const startsOf = (plan: ReturnType<typeof planApp>) => plan.actions.filter(({ kind }) => kind === 'start').length

  test.each([{ min_concurrency: most }, { concurrency_buffer: most }])('has only so many of them wait: %o', (asked) => {
    const plan = planApp(
      worldOf({ max_concurrency: most, ...asked }, [{ state: 'serving' }, { state: 'pending' }]),
      now,
    )
    expect(startsOf(plan)).toBe(mostPending - 1)
    expect(plan.moments).toContain(now + 1_000)
  })

  test('starts no more of them while those have no place', () => {
    const waiting = Array.from({ length: mostPending }, () => ({ state: 'pending' as const }))
    const plan = planApp(worldOf({ max_concurrency: most, min_concurrency: most }, waiting), now)
    expect(startsOf(plan)).toBe(0)
  })
})

test('no plan drains a busy runner', () => {
  fc.assert(
    fc.property(anyWorld, (world) => {
      const drained = new Set(ended(planApp(world, now).actions))
      expect(
        world.runners.filter(({ runner, inFlight }) => inFlight > 0 && runner.state === 'serving'),
      ).not.toContainEqual(
        expect.objectContaining({ runner: expect.objectContaining({ id: expect.toSatisfy((id) => drained.has(id)) }) }),
      )
    }),
  )
})

test('no plan starts a runner beyond max_concurrency, or ends one that the floor needs', () => {
  fc.assert(
    fc.property(anyWorld, (world) => {
      const { actions } = planApp(world, now)
      const there = world.runners.filter(({ runner }) => runner.state !== 'draining').length
      const after = there + actions.filter(({ kind }) => kind === 'start').length - ended(actions).length
      const { min_concurrency: floor, max_concurrency: cap } = world.app!.scale
      expect(after).toBeLessThanOrEqual(Math.max(cap, there))
      expect(after).toBeGreaterThanOrEqual(floor)
    }),
  )
})

test('a plan that was carried out leaves nothing to plan', () => {
  fc.assert(
    fc.property(anyWorld, (world) => {
      const { actions } = planApp(world, now)
      const gone = new Set(ended(actions))
      const begun = actions
        .filter(({ kind }) => kind === 'start')
        .map((_, index) => loaded({ state: 'setup' }, 100 + index))
      const runners = [...world.runners.filter(({ runner }) => !gone.has(runner.id)), ...begun]
      const next = planApp({ ...world, runners }, now)
      expect(next.actions.filter(({ kind }) => kind !== 'begin')).toEqual([])
    }),
  )
})

test('more runners than max_concurrency never work at a time, as far as offers decide', () => {
  const any = fc.tuple(anyScale, fc.array(fc.tuple(anyMade, fc.boolean()), { maxLength: 10 }))
  fc.assert(
    fc.property(any, ([scale, made]) => {
      const runners = made.map(([each, isNew]) => ({ ...each, revision: isNew ? 'new' : 'old' }))
      const old = runners.map(loaded).filter(({ runner }) => runner.revisionId === 'old')
      const ids = new Set(old.map(({ runner }) => runner.id))
      const handover = { had: old.length, carried: old.length, until: now + 1_000, multiplexing: 1, runners: ids }
      const world = worldOf(scale, runners, { handover })
      const offer = new Set(offered(world).map(({ id }) => id))
      const busy = world.runners.filter(({ inFlight }) => inFlight > 0)
      const atWork = new Set([...offer, ...busy.map(({ runner }) => runner.id)])
      expect(atWork.size).toBeLessThanOrEqual(Math.max(world.app!.scale.max_concurrency, busy.length))
    }),
  )
})
