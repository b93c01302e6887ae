import { expect, test } from 'vitest'
import { byBucket, measure, type Counted } from './analytics.ts'

const ended = (more: Partial<Counted> = {}): Counted => ({
  acceptedAt: 0,
  startedAt: 500,
  finishedAt: 2_500,
  status: 200,
  ...more,
})

test('requests are counted by how they ended', () => {
  const requests = [
    ended(),
    ended({ status: 422 }),
    ended({ status: 500 }),
    ended({ status: 504, errorCode: 'request_timeout' }),
    ended({ status: 503, errorCode: 'runner_disconnected' }),
    ended({ status: 504, errorCode: 'startup_timeout' }),
  ]
  expect(
    measure(requests, [
      'request_count',
      'success_count',
      'user_error_count',
      'error_count',
      'runtime_error_count',
      'timeout_error_count',
      'connection_error_count',
      'startup_error_count',
    ]),
  ).toEqual({
    request_count: 6,
    success_count: 1,
    user_error_count: 1,
    error_count: 4,
    runtime_error_count: 1,
    timeout_error_count: 1,
    connection_error_count: 1,
    startup_error_count: 1,
  })
})

test('percentiles are seconds that some request took; those that never started count in none', () => {
  const requests = [1, 2, 3, 4].map((seconds) => ended({ finishedAt: 500 + seconds * 1_000 }))
  const never: Counted = { acceptedAt: 0, finishedAt: 9_000, status: 499 }
  expect(
    measure([...requests, never], ['p50_duration', 'p99_duration', 'p50_prepare_duration', 'total_billable_duration']),
  ).toEqual({ p50_duration: 2, p99_duration: 4, p50_prepare_duration: 0.5, total_billable_duration: 10 })
  expect(measure([], ['p50_duration', 'request_count'])).toEqual({ p50_duration: null, request_count: 0 })
})

test('a start that took more than a second was a cold one', () => {
  const cold = ended({ startedAt: 1_001 })
  expect(measure([ended({ startedAt: 1_000 }), cold], ['cold_boot_count', 'p50_cold_boot_duration'])).toEqual({
    cold_boot_count: 1,
    p50_cold_boot_duration: 1.001,
  })
})

test('a request belongs to the bucket in which it ended', () => {
  const buckets = [
    { from: 0, to: 10 },
    { from: 10, to: 20 },
  ]
  const requests = [20, 10, 9, 5].map((finishedAt) => ended({ finishedAt }))
  expect([...byBucket(requests, buckets).values()].map((found) => found.map(({ finishedAt }) => finishedAt))).toEqual([
    [5, 9],
    [10],
  ])
})
