import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { scalingTables as tables } from '../testing/scaling-tables.ts'
import { serverDefaults, type ScaleSettings } from './scale.ts'
import { calculated, desiredRunners, idleLimitMs, patientUntil, runnersFor } from './scaling.ts'

const scaleOf = (changes: Partial<ScaleSettings>): ScaleSettings => ({ ...serverDefaults, ...changes })

describe.each(tables)('$name', ({ scale, rows }) => {
  test.each(rows)('$volume requests want $desired runners', ({ volume, ...rest }) => {
    expect(calculated(scaleOf(scale), volume)).toMatchObject(rest)
  })
})

const anyScale = fc
  .record({
    min_concurrency: fc.nat(20),
    max_concurrency: fc.integer({ min: 1, max: 50 }),
    concurrency_buffer: fc.nat(20),
    concurrency_buffer_perc: fc.nat(1_000),
    max_multiplexing: fc.integer({ min: 1, max: 1_000 }),
  })
  .map((scale) => scaleOf({ ...scale, min_concurrency: Math.min(scale.min_concurrency, scale.max_concurrency) }))

test('more requests never want fewer runners, and never fewer than the floor or more than the cap', () => {
  fc.assert(
    fc.property(anyScale, fc.nat(5_000), fc.nat(5_000), (scale, one, other) => {
      const few = runnersFor(scale, Math.min(one, other))
      const many = runnersFor(scale, Math.max(one, other))
      expect(few).toBeLessThanOrEqual(many)
      expect(few).toBeGreaterThanOrEqual(scale.min_concurrency)
      expect(many).toBeLessThanOrEqual(scale.max_concurrency)
    }),
  )
})

test('what runs has slots: without the cap there are never fewer runners than requests fill', () => {
  fc.assert(
    fc.property(anyScale, fc.nat(5_000), (scale, volume) => {
      const { wanted } = calculated(scale, volume)
      expect(wanted * scale.max_multiplexing).toBeGreaterThanOrEqual(volume)
    }),
  )
})

test('no traffic wants no runners by default, one request wants one', () => {
  expect(runnersFor(serverDefaults, 0)).toBe(0)
  expect(runnersFor(serverDefaults, 1)).toBe(1)
})

describe('scaling_delay', () => {
  const scale = scaleOf({ scaling_delay: 5, max_concurrency: 4 })
  const demand = { running: 1, waiting: 2, waitingSince: 1_000 }

  test('a request starts no runner before it has waited that long', () => {
    expect(desiredRunners(scale, demand, 5_999).atLeast).toBe(1)
    expect(desiredRunners(scale, demand, 6_000).atLeast).toBe(3)
  })

  test('a waiting request keeps the runners that there are from the start', () => {
    expect(desiredRunners(scale, demand, 1_000).atMost).toBe(3)
  })

  test('the moment at which it counts is known', () => {
    expect(patientUntil(scale, demand, 1_000)).toBe(6_000)
    expect(patientUntil(scale, demand, 6_000)).toBeUndefined()
    expect(patientUntil(scale, { running: 1, waiting: 0 }, 1_000)).toBeUndefined()
  })
})

describe('how long a runner may idle', () => {
  test('for keep_alive once it had a request', () => {
    expect(idleLimitMs(scaleOf({ keep_alive: 60 }), true)).toBe(60_000)
    expect(idleLimitMs(scaleOf({ keep_alive: 0 }), true)).toBe(0)
  })

  test('ten seconds when it never had one', () => {
    expect(idleLimitMs(scaleOf({ keep_alive: 60 }), false)).toBe(10_000)
  })

  test.each([{ min_concurrency: 1 }, { concurrency_buffer: 1 }, { concurrency_buffer_perc: 10 }])(
    'for keep_alive even so with %o',
    (spares) => expect(idleLimitMs(scaleOf({ keep_alive: 60, ...spares }), false)).toBe(60_000),
  )
})
