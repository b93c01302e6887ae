import { describe, expect, test } from 'vitest'
import type { ScaleChanges } from '../domain/scale.ts'
import { worldNow as now, worldOf, type Made } from '../testing/app-worlds.ts'
import { lookAgainAt } from './look-again.ts'
import type { AppWorld } from './plan.ts'

describe('an app is looked at again, although nobody says that a runner has become idle', () => {
  const again = (scale: ScaleChanges, runners: readonly Made[], more: Partial<AppWorld> = {}) =>
    lookAgainAt(worldOf(scale, runners, more), now)
  const busy: Made = { state: 'serving', inFlight: 1 }

  test.each<[string, ScaleChanges, readonly Made[], number | undefined]>([
    ['not before its busy runners could go', { keep_alive: 60 }, [busy], now + 60_000],
    ['soon where they go at once', { keep_alive: 0 }, [busy], now + 1_000],
    ['not where the floor keeps them', { min_concurrency: 1, keep_alive: 60 }, [busy], undefined],
    ['not where none is busy: the plan says when idle ones go', { keep_alive: 60 }, [{ state: 'serving' }], undefined],
    [
      'not for those that drain: their last request tells',
      { keep_alive: 60 },
      [{ ...busy, state: 'draining' }],
      undefined,
    ],
    ['soon where there are more than the cap', { max_concurrency: 1, keep_alive: 60 }, [busy, busy], now + 1_000],
  ])('%s', (_, scale, runners, at) => {
    expect(again(scale, runners)).toBe(at)
  })

  test('soon in a handover', () => {
    const handover = { had: 1, carried: 1, until: now + 9_000, multiplexing: 1, runners: new Set<string>() }
    expect(again({ min_concurrency: 1 }, [busy], { handover })).toBe(now + 1_000)
  })
})
