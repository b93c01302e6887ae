import type { ScaleChanges } from '../domain/scale.ts'

/** How many runners so many requests want, and what of that the documentation shows besides. */
export interface ScalingRow {
  readonly volume: number
  readonly desired: number
  readonly needed?: number
  readonly buffer?: number
}

export interface ScalingTable {
  readonly name: string
  readonly scale: ScaleChanges
  readonly rows: readonly ScalingRow[]
}

const rows = (shown: 'needed' | 'buffer', numbers: readonly (readonly [number, number, number])[]) =>
  numbers.map(([volume, step, desired]) => ({ volume, desired, [shown]: step }))

/** The worked examples A to D: their configurations are the field's, their numbers follow from the formula. */
export const scalingTables: readonly ScalingTable[] = [
  {
    name: 'A: a floor and a buffer of one',
    scale: { min_concurrency: 1, concurrency_buffer: 1, max_concurrency: 10 },
    rows: rows('needed', [
      [0, 0, 1],
      [1, 1, 2],
      [2, 2, 3],
      [5, 5, 6],
      [8, 8, 9],
      [9, 9, 10],
      [10, 10, 10],
      [15, 15, 10],
    ]),
  },
  {
    name: 'B: the floor is not added to the buffer',
    scale: { min_concurrency: 3, concurrency_buffer: 2, max_concurrency: 10 },
    rows: rows('needed', [
      [0, 0, 3],
      [1, 1, 3],
      [2, 2, 4],
      [3, 3, 5],
      [5, 5, 7],
      [7, 7, 9],
      [8, 8, 10],
      [12, 12, 10],
    ]),
  },
  {
    name: 'C: four requests per runner',
    scale: { concurrency_buffer: 2, max_multiplexing: 4, max_concurrency: 6 },
    rows: rows('needed', [
      [0, 0, 2],
      [1, 1, 3],
      [4, 1, 3],
      [5, 2, 4],
      [8, 2, 4],
      [9, 3, 5],
      [12, 3, 5],
      [13, 4, 6],
      [16, 4, 6],
      [17, 5, 6],
      [24, 6, 6],
      [30, 8, 6],
    ]),
  },
  {
    name: 'D: a buffer in percent',
    scale: { min_concurrency: 2, concurrency_buffer: 1, concurrency_buffer_perc: 20, max_concurrency: 50 },
    rows: rows('buffer', [
      [0, 1, 2],
      [1, 1, 2],
      [2, 1, 3],
      [5, 1, 6],
      [10, 2, 12],
      [20, 4, 24],
      [40, 8, 48],
      [60, 12, 50],
    ]),
  },
]
