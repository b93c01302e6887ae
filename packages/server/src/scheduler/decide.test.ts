import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decisionSentences } from '../domain/decision-words.ts'
import { delayMs } from '../domain/backoff.ts'
import { start, terminate } from '../domain/runner.ts'
import { anyWorld, loaded, worldNow as now, worldOf, type Made } from '../testing/app-worlds.ts'
import { decisionOf, isWorthKeeping } from './decide.ts'
import { planApp, type AppWorld } from './plan.ts'

const decide = (world: AppWorld, at = now) => decisionOf(world, planApp(world, at), [], at)
const told = (world: AppWorld, at = now) => decisionSentences(decide(world, at), 'ann/hello')

test('a decision says what its plan does, runner by runner, and as many starts as it makes', () => {
  fc.assert(
    fc.property(anyWorld, (world) => {
      const plan = planApp(world, now)
      const { steps, scaling } = decisionOf(world, plan, [], now)
      const starts = plan.actions.filter(({ kind }) => kind === 'start').length
      expect(steps.reduce((sum, step) => sum + (step.kind === 'start' ? step.count : 0), 0)).toBe(starts)
      expect(Math.max(0, scaling!.atLeast.desired - scaling!.counted)).toBe(starts)
      const touched = steps.flatMap((step) => (step.kind === 'start' ? [] : [`${step.kind} ${step.runner}`]))
      const acted = plan.actions.flatMap((action) =>
        action.kind === 'start' ? [] : [`${action.kind} ${action.runner.id}`],
      )
      expect(touched).toEqual(acted)
    }),
  )
})

test('where fewer runners come than the requests want, something says what stands in the way', () => {
  fc.assert(
    fc.property(anyWorld, (world) => {
      const { steps, scaling, blocks } = decide(world)
      const starts = steps.reduce((sum, step) => sum + (step.kind === 'start' ? step.count : 0), 0)
      if (scaling!.counted + starts < scaling!.atMost.wanted) expect(blocks).not.toEqual([])
      if (blocks.length > 0) expect(isWorthKeeping(world, planApp(world, now), now)).toBe(true)
    }),
  )
})

test('the formula that is told ends in the number that the plan goes by', () => {
  fc.assert(
    fc.property(anyWorld, (world) => {
      const { desired } = planApp(world, now).scaling!
      expect(told(world)).toContainEqual(expect.stringMatching(new RegExp(`desired = .* = ${desired.atMost}\\.$`)))
    }),
  )
})

test('while the load stays as it is, runners are started or ended, never both', () => {
  fc.assert(
    fc.property(anyWorld, (world) => {
      const kinds = new Set<string>()
      let runners = world.runners
      for (let at = now; at < now + 120_000; at += 5_000) {
        const { actions } = planApp({ ...world, runners }, at)
        const gone = new Set(actions.flatMap((action) => (action.kind === 'start' ? [] : [action])).filter(ends))
        const left = new Set([...gone].map(({ runner }) => runner.id))
        const born = actions
          .filter(({ kind }) => kind === 'start')
          .map((_, index) => loaded({ state: 'setup' }, at + index))
        if (born.length > 0) kinds.add('start')
        if (left.size > 0) kinds.add('end')
        runners = [...runners.filter(({ runner }) => !left.has(runner.id)), ...born]
      }
      expect(kinds.size).toBeLessThan(2)
    }),
  )
})

const ends = ({ kind }: { readonly kind: string }) => kind === 'drain' || kind === 'cancel'

describe('an app is told', () => {
  const waiting = (count: number, forMs = 12_000) => ({
    demand: { running: 0, waiting: count, waitingSince: now - forMs },
  })

  test('the formula with its numbers, and what is done', () => {
    const scale = { max_multiplexing: 2, concurrency_buffer: 1, concurrency_buffer_perc: 20, max_concurrency: 10 }
    const world = worldOf(scale, [{ state: 'setup' }, { state: 'serving' }, { state: 'serving' }], waiting(7))
    expect(told(world)).toEqual([
      '0 requests run and 7 wait, the oldest for 12 s.',
      'needed = ceil(7 / 2) = 4; buffer = max(1, ceil(20 % of 4)) = 1; desired = min(10, max(0, 4 + 1)) = 5.',
      'There are 3 runners: 2 idle and 1 starting (for 0 s).',
      'Starts 2 runners.',
    ])
  })

  test('that it has what is wanted, and that nothing is there where nothing is wanted', () => {
    expect(told(worldOf({ min_concurrency: 1 }, [{ state: 'serving' }])).slice(2)).toEqual([
      'There is 1 runner: 1 idle.',
      'Keeps 1 runner: as many as are wanted.',
    ])
    expect(told(worldOf({}, [])).slice(2)).toEqual(['There is no runner.', 'Keeps 0 runners: as many as are wanted.'])
  })

  test('why a runner goes: keep_alive is over, it never had a request, it is above the cap', () => {
    const idle = (more: Partial<Made>): Made => ({ state: 'serving', ...more })
    expect(told(worldOf({ keep_alive: 60 }, [idle({ idleForMs: 61_000 })])).at(-1)).toBe(
      'Ends runner serving-0: it was idle for 61 s and is not wanted now; keep_alive is 60 s.',
    )
    expect(told(worldOf({ keep_alive: 60 }, [idle({ idleForMs: 11_000, used: false })])).at(-1)).toBe(
      'Ends runner serving-0: it was idle for 11 s and is not wanted now, and it never had a request: such a runner may idle for 10 s.',
    )
    const above = worldOf({ max_concurrency: 1, keep_alive: 60 }, [idle({ inFlight: 1 }), idle({})])
    expect(told(above)).toContain('Ends runner serving-1: there are more runners than max_concurrency allows.')
  })

  test('until when those stay that are more than wanted', () => {
    const world = worldOf({ keep_alive: 60, max_concurrency: 3 }, [{ state: 'serving' }, { state: 'serving' }])
    expect(told(world).slice(-2)).toEqual([
      'Keeps 2 runners, where 0 are wanted.',
      'The 2 above that go once idle for keep_alive (60 s); a busy runner is never ended for that.',
    ])
  })

  test('that the cap keeps it from more', () => {
    const world = worldOf({ max_concurrency: 1 }, [{ state: 'serving', inFlight: 1 }], waiting(3))
    expect(told(world).at(-1)).toBe(
      'max_concurrency allows 1 runner, where 4 would be wanted: `fal apps scale hello --max-concurrency N` raises it.',
    )
  })

  test('how long scaling_delay holds a start back', () => {
    const world = worldOf({ scaling_delay: 5 }, [], waiting(1, 1_800))
    expect(told(world).at(-1)).toBe(
      '1 waiting request starts no runner before one has waited for scaling_delay (5 s): 3.2 s more.',
    )
    expect(decide(world, now + 3_200).blocks).toEqual([])
  })

  test('how long crashed starts hold a start back, and which start failed how', () => {
    const identity = { appId: 'app', accountId: 'account', revisionId: 'new', machineType: 'XS', createdAt: 0 }
    const setup = start({ ...identity, id: 'failed-1', state: 'pending', startAt: 0 }, 1, 0)
    const failed = terminate(setup, 'startup_failure', now - 2_000, { code: 1, signal: null })
    const more = {
      ...waiting(1),
      backoffOf: () => ({ failures: 1, lastAt: now - 2_000 }),
      failureOf: () => failed,
    }
    expect(told(worldOf({}, [], more)).slice(-2)).toEqual([
      'Adds 1 runner to begin in 28 s.',
      'The next start waits 28 s more, because the last start failed: runner failed-1 ended with exit code 1 before it was ready (`fal runners logs failed-1`).',
    ])
    expect(decide(worldOf({}, [], more), now - 2_000 + delayMs(1)).blocks).toEqual([])
  })

  test('that its queue is paused, that it has no place, that its first deploy is under way', () => {
    expect(told(worldOf({}, [], { held: 5 })).at(-1)).toBe(
      'The queue is paused, so the 5 requests in it start no runner: `carrick queue resume hello` goes on with them.',
    )
    const why = {
      kind: 'no_room' as const,
      lacks: [{ machineType: 'GPU-H100', of: 'gpus' as const, needs: 2, free: 1 }],
    }
    const full = worldOf({}, [{ state: 'pending' }], { ...waiting(1), unplacedOf: () => why })
    expect(told(full).at(-1)).toBe('1 runner has no place yet: GPU-H100 needs 2 GPUs, and 1 are free.')
    const { active, ...fresh } = worldOf({}, [])
    expect(decide({ ...fresh, rolling: active! }).blocks).toEqual([{ kind: 'first_deploy', revisionId: 'new' }])
  })
})

test('an app that is as it should be keeps nothing', () => {
  for (const world of [worldOf({}, []), worldOf({ min_concurrency: 2 }, [{ state: 'serving' }, { state: 'setup' }])])
    expect(isWorthKeeping(world, planApp(world, now), now)).toBe(false)
})
