import { expect, test } from 'vitest'
import { manualClock } from '../testing/clock.ts'
import { Totals, Traffic } from './traffic.ts'

test('calls are counted by method, by how they ended, and by how long they took', () => {
  const clock = manualClock(1_000_000)
  const totals = new Totals()
  const traffic = new Traffic(clock, totals)
  traffic.received('POST')
  traffic.received('POST')
  traffic.received('GET')
  traffic.completed('POST', 200, clock.now() - 400)
  traffic.completed('POST', 500, clock.now() - 9_000)
  const { received, completed, latency } = traffic.counts()
  expect(received).toEqual([
    { method: 'POST', count: 2 },
    { method: 'GET', count: 1 },
  ])
  expect(completed).toEqual([
    { method: 'POST', status: 200, count: 1 },
    { method: 'POST', status: 500, count: 1 },
  ])
  const upTo = (seconds: number) => latency.find((bucket) => bucket.seconds === seconds)?.count
  expect(totals).toMatchObject({ success: 1, user_error: 0, error: 1 })
  expect([0.25, 0.5, 5, 10, Infinity].map(upTo)).toEqual([0, 1, 1, 2, 2])
})

test('what is older than a minute counts no longer, and takes no room', () => {
  const clock = manualClock(1_000_000)
  const traffic = new Traffic(clock, new Totals())
  for (let minute = 0; minute < 3; minute += 1) {
    traffic.received('POST')
    clock.advance(59_000)
    expect(traffic.counts().received).toEqual([{ method: 'POST', count: 1 }])
    clock.advance(2_000)
    expect(traffic.counts().received).toEqual([])
  }
})
