import { expect, test } from 'vitest'
import { buckets, timeframeFor } from './timeline.ts'

const at = (text: string) => Date.parse(text)
const shown = (from: string, to: string, timeframe: Parameters<typeof buckets>[1], whole = true) =>
  buckets({ from: at(from), to: at(to) }, timeframe, whole).map((bucket) => new Date(bucket.from).toISOString())

test.each([
  [1, 'minute'],
  [2, 'hour'],
  [48, 'day'],
  [64 * 24, 'week'],
  [183 * 24, 'month'],
])('a window of %d hours is cut into pieces of a %s', (hours, timeframe) => {
  expect(timeframeFor({ from: 0, to: hours * 3_600_000 })).toBe(timeframe)
})

test('weeks begin on Monday and months on their first day, in UTC', () => {
  expect(shown('2026-11-25T10:00Z', '2026-12-01T00:00Z', 'week')).toEqual([
    '2026-11-23T00:00:00.000Z',
    '2026-11-30T00:00:00.000Z',
  ])
  expect(shown('2026-12-31T10:00Z', '2027-01-02T00:00Z', 'month')).toEqual([
    '2026-12-01T00:00:00.000Z',
    '2027-01-01T00:00:00.000Z',
  ])
})

test('the ends of the window cut the first and the last bucket, unless whole ones are wanted', () => {
  const window = { from: at('2026-11-25T10:30Z'), to: at('2026-11-25T12:15Z') }
  expect(buckets(window, 'hour', false).at(0)?.from).toBe(window.from)
  expect(buckets(window, 'hour', false).at(-1)?.to).toBe(window.to)
  expect(buckets(window, 'hour', true).at(0)?.from).toBe(at('2026-11-25T10:00Z'))
  expect(buckets(window, 'hour', true)).toHaveLength(3)
})

test('more buckets than an answer can hold are refused', () => {
  expect(() => buckets({ from: 0, to: 90 * 24 * 3_600_000 }, 'minute', true)).toThrow('more than 2000 buckets')
})
