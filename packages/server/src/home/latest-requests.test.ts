import { expect, test, vi } from 'vitest'
import type { Outcome, QueuedRequest } from '../domain/request.ts'
import { LatestRequests } from './latest-requests.ts'

const queued = (id: string): QueuedRequest => ({
  id,
  appId: 'app',
  seq: 1,
  priority: 'normal',
  attempt: 1,
  dueAt: 0,
  acceptedAt: 5,
  retry: { forbidden: false, budgets: {} },
  used: {},
})
const answer = (bytes: number): Outcome => ({ status: 200, headers: [], body: { inline: new Uint8Array(bytes) } })
const start = { attempt: 1, runnerId: 'runner', startedAt: 10 }

function opened() {
  const time = { now: 0 }
  const latest = new LatestRequests({ now: () => time.now })
  const end = (id: string, bytes = 1) => {
    latest.started(queued(id), start)
    latest.ended(id, answer(bytes), 20)
  }
  return { latest, time, end }
}

test('what runs is known, and what has ended with its result', () => {
  const { latest } = opened()
  latest.started(queued('a'), start)
  expect(latest.find('a')).toMatchObject({ request: { id: 'a', state: 'running', startedAt: 10, runnerId: 'runner' } })
  latest.ended('a', answer(3), 20)
  expect(latest.find('a')).toMatchObject({
    request: { state: 'completed', startedAt: 10, finishedAt: 20, status: 200 },
    result: { status: 200, body: { inline: new Uint8Array(3) } },
  })
  expect(latest.find('b')).toBeUndefined()
})

test('of what left without an end, and of what was not known to run, it says nothing', () => {
  const { latest } = opened()
  latest.started(queued('retried'), start)
  latest.left('retried')
  latest.ended('recovered', answer(1), 20)
  expect([latest.find('retried'), latest.find('recovered')]).toEqual([undefined, undefined])
})

test('large results push out the oldest ones', () => {
  const { latest, end } = opened()
  const megabyte = 1024 * 1024
  for (const id of ['a', 'b', 'c', 'd', 'e']) end(id, megabyte)
  expect(['a', 'b', 'c', 'd', 'e'].filter((id) => latest.find(id))).toEqual(['c', 'd', 'e'])
})

test('what is kept no longer is forgotten at once, and what runs is not', () => {
  const { latest, end } = opened()
  end('ended')
  latest.started(queued('running'), start)
  latest.forgetEnded()
  expect([latest.find('ended'), latest.find('running')?.request.state]).toEqual([undefined, 'running'])
})

test('an end is forgotten a little later, whether or not another follows', () => {
  vi.useFakeTimers()
  try {
    const { latest, time, end } = opened()
    end('a')
    time.now = 60_000
    vi.advanceTimersByTime(60_000)
    expect(latest.find('a')).toBeUndefined()
  } finally {
    vi.useRealTimers()
  }
})
