import { describe, expect, test } from 'vitest'
import { serverDefaults, type ScaleSettings } from './scale.ts'
import { desiredRunners, idleLimitMs, patientUntil, runnersFor } from './scaling.ts'

const scaleOf = (changes: Partial<ScaleSettings>): ScaleSettings => ({ ...serverDefaults, ...changes })

/** Configurations of the documentation, and what follows from the formula. */
const tables: readonly { name: string; scale: Partial<ScaleSettings>; rows: readonly (readonly [number, number])[] }[] =
  [
    {
      name: 'a floor and a buffer of one',
      scale: { min_concurrency: 1, concurrency_buffer: 1, max_concurrency: 10 },
      rows: [
        [0, 1],
        [1, 2],
        [2, 3],
        [5, 6],
        [8, 9],
        [9, 10],
        [10, 10],
        [15, 10],
      ],
    },
    {
      name: 'the floor is not added to the buffer',
      scale: { min_concurrency: 3, concurrency_buffer: 2, max_concurrency: 10 },
      rows: [
        [0, 3],
        [1, 3],
        [2, 4],
        [3, 5],
        [5, 7],
        [7, 9],
        [8, 10],
        [12, 10],
      ],
    },
    {
      name: 'four requests per runner',
      scale: { concurrency_buffer: 2, max_multiplexing: 4, max_concurrency: 6 },
      rows: [
        [0, 2],
        [1, 3],
        [4, 3],
        [5, 4],
        [8, 4],
        [9, 5],
        [12, 5],
        [13, 6],
        [16, 6],
        [17, 6],
        [24, 6],
        [30, 6],
      ],
    },
    {
      name: 'a buffer in percent',
      scale: { min_concurrency: 2, concurrency_buffer: 1, concurrency_buffer_perc: 20, max_concurrency: 50 },
      rows: [
        [0, 2],
        [1, 2],
        [2, 3],
        [5, 6],
        [10, 12],
        [20, 24],
        [40, 48],
        [60, 50],
      ],
    },
  ]

describe.each(tables)('$name', ({ scale, rows }) => {
  test.each(rows)('%i requests want %i runners', (volume, runners) => {
    expect(runnersFor(scaleOf(scale), volume)).toBe(runners)
  })
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
