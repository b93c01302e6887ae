import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { phases, requestTimeline, serverTiming, type AttemptFacts, type RequestFacts } from './request-timeline.ts'

const now = 1_000
const accepted = { acceptedAt: 100, attempts: [] }

function attempt(more: Partial<AttemptFacts> = {}): AttemptFacts {
  return { number: 1, runnerId: 'runner', startedAt: 200, ...more }
}

/** The parts that are not nothing. */
function partsOf(facts: RequestFacts): Record<string, number> {
  const { durations } = requestTimeline(facts, now)
  return Object.fromEntries(Object.entries(durations).filter(([, ms]) => ms > 0))
}

describe('the time of a request', () => {
  const warm = { createdAt: 10, startedAt: 11, launchedAt: 12, readyAt: 50 }
  const cold = { createdAt: 110, startedAt: 115, launchedAt: 130, readyAt: 190 }
  test.each<[string, RequestFacts, Record<string, number>]>([
    ['waits in line', accepted, { queued: 900 }],
    [
      'waits for a runner that is wanted',
      { ...accepted, coming: { createdAt: 110 } },
      { queued: 10, waiting_for_machine: 890 },
    ],
    [
      'waits for a runner whose program does not run yet',
      { ...accepted, coming: { createdAt: 110, startedAt: 115 } },
      { queued: 10, waiting_for_machine: 5, starting: 885 },
    ],
    [
      'waits for a runner that is in set-up',
      { ...accepted, coming: { createdAt: 110, startedAt: 115, launchedAt: 130 } },
      { queued: 10, waiting_for_machine: 5, starting: 15, set_up: 870 },
    ],
    ['runs on a warm runner', { ...accepted, attempts: [attempt({ runner: warm })] }, { queued: 100, running: 800 }],
    [
      'ran on a cold runner and is stored',
      { ...accepted, attempts: [attempt({ runner: cold })], answeredAt: 500, finishedAt: 507 },
      { queued: 20, waiting_for_machine: 5, starting: 15, set_up: 60, running: 300, storing: 7 },
    ],
    [
      'came while its runner was starting',
      { acceptedAt: 120, attempts: [attempt({ runner: cold })], answeredAt: 300, finishedAt: 300 },
      { queued: 10, starting: 10, set_up: 60, running: 100 },
    ],
    [
      'ran on a runner of an older record, of whose start two moments are known',
      {
        ...accepted,
        attempts: [attempt({ runner: { createdAt: 110, readyAt: 190 } })],
        answeredAt: 300,
        finishedAt: 300,
      },
      { queued: 20, set_up: 80, running: 100 },
    ],
    [
      'failed once and ran again',
      {
        ...accepted,
        attempts: [
          attempt({ runner: warm, failedAt: 250, failedAs: 'runner_disconnected', retryAt: 300 }),
          attempt({ number: 2, startedAt: 320, runner: warm }),
        ],
        answeredAt: 400,
        finishedAt: 401,
      },
      { queued: 120, running: 130, backing_off: 50, storing: 1 },
    ],
    [
      'failed once and is not tried again yet',
      { ...accepted, attempts: [attempt({ failedAt: 250, retryAt: 5_000 })] },
      { queued: 100, running: 50, backing_off: 750 },
    ],
    [
      'was cancelled while it backed off',
      { ...accepted, attempts: [attempt({ failedAt: 250, retryAt: 5_000 })], finishedAt: 300 },
      { queued: 100, running: 50, backing_off: 50 },
    ],
    ['was cancelled in line', { ...accepted, finishedAt: 300 }, { queued: 200 }],
    [
      'ended with the platform, so that nobody saw the end of its attempt',
      { ...accepted, attempts: [attempt()], finishedAt: 700 },
      { queued: 100, running: 500 },
    ],
  ])('that %s', (_, facts, parts) => expect(partsOf(facts)).toEqual(parts))
})

test('each attempt has the time since the one before it, and how it failed', () => {
  const attempts = [
    attempt({ failedAt: 250, failedAs: '503', retryAt: 300 }),
    attempt({ number: 2, runnerId: 'other', startedAt: 320 }),
  ]
  const { attempts: told } = requestTimeline({ ...accepted, attempts }, now)
  expect(told).toMatchObject([
    { number: 1, runnerId: 'runner', startedAt: 200, failedAs: '503', durations: { queued: 100, running: 50 } },
    { number: 2, runnerId: 'other', durations: { queued: 20, running: 680, backing_off: 50 } },
  ])
  expect(told[1]).not.toHaveProperty('failedAs')
})

test('whatever is on record, no part is negative, parts add up to the total, and a total never shrinks', () => {
  const moment = fc.integer({ min: 0, max: 2_000 })
  const runner = fc.record(
    { createdAt: moment, startedAt: moment, launchedAt: moment, readyAt: moment },
    { requiredKeys: ['createdAt'] },
  )
  const anyAttempt = fc.record(
    {
      number: fc.nat(10),
      runnerId: fc.constant('r'),
      startedAt: moment,
      failedAt: moment,
      retryAt: moment,
      runner,
    },
    { requiredKeys: ['number', 'runnerId', 'startedAt'] },
  )
  const anyFacts: fc.Arbitrary<RequestFacts> = fc.record(
    { acceptedAt: moment, attempts: fc.array(anyAttempt), answeredAt: moment, finishedAt: moment, coming: runner },
    { requiredKeys: ['acceptedAt', 'attempts'] },
  )
  fc.assert(
    fc.property(anyFacts, moment, fc.nat(500), (facts, at, later) => {
      const { totalMs, durations, attempts } = requestTimeline(facts, at)
      const all = [durations, ...attempts.map((each) => each.durations)]
      for (const each of all) for (const phase of phases) expect(each[phase]).toBeGreaterThanOrEqual(0)
      expect(phases.reduce((sum, phase) => sum + durations[phase], 0)).toBe(totalMs)
      expect(totalMs).toBe(Math.max(0, (facts.finishedAt ?? at) - facts.acceptedAt))
      expect(requestTimeline(facts, at + later).totalMs).toBeGreaterThanOrEqual(totalMs)
    }),
  )
})

describe('the Server-Timing of a direct call', () => {
  const call = { cameAt: 100, slotAt: 150, firstByteAt: 180 }
  test.each([
    ['on a warm runner', { ...call, runner: { createdAt: 1, readyAt: 99 } }, 'queued;dur=50, running;dur=30'],
    [
      'that waited for a runner to start',
      { ...call, runner: { createdAt: 103, readyAt: 148 } },
      'queued;dur=5, starting;dur=45, running;dur=30',
    ],
    [
      'that came while one started',
      { ...call, runner: { createdAt: 1, readyAt: 140 } },
      'queued;dur=10, starting;dur=40, running;dur=30',
    ],
    ['on what is always there', call, 'queued;dur=50, running;dur=30'],
  ])('%s', (_, facts, header) => expect(serverTiming(facts)).toBe(header))
})
