import { expect, test } from 'vitest'
import { runnerHistory } from './runner-history.ts'

const buckets = [
  { from: 0, to: 100 },
  { from: 100, to: 200 },
]
const history = (aggregation: 'max' | 'avg', ...lifetimes: Parameters<typeof runnerHistory>[0]) =>
  runnerHistory(lifetimes, buckets, { aggregation, now: 1_000 }).map(({ pending, running, draining }) => [
    pending,
    running,
    draining,
  ])

test('a runner counts in each state while it was in it', () => {
  const runner = { createdAt: 10, readyAt: 20, drainingAt: 150, endedAt: 160 }
  expect(history('max', runner)).toEqual([
    [1, 1, 0],
    [0, 1, 1],
  ])
  expect(history('avg', runner)).toEqual([
    [0.1, 0.8, 0],
    [0, 0.5, 0.1],
  ])
})

test('one after the other is one, not two', () => {
  expect(history('max', { createdAt: 0, readyAt: 0, endedAt: 50 }, { createdAt: 50, readyAt: 50 })).toEqual([
    [0, 1, 0],
    [0, 1, 0],
  ])
})

test('one that never served was pending to its end', () => {
  expect(history('max', { createdAt: 120, endedAt: 130 })).toEqual([
    [0, 0, 0],
    [1, 0, 0],
  ])
})
