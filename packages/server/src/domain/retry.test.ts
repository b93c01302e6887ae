import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { afterAttempt, mostAttempts, runnerVerdict } from './retry.ts'
import type { AttemptEnd, RetryRules, Trouble } from './retry.ts'
import type { RetryBudgets, RetryCondition } from './revision.ts'

const rules: RetryRules = { skipRetryConditions: [], retryBudgets: {} }
const first = { attempt: 1, retry: { forbidden: false, budgets: {} }, used: {} }
const answer = (
  status: number,
  more: { needsRetry?: boolean; stopRunner?: boolean; checkHealth?: boolean } = {},
): AttemptEnd => ({
  kind: 'answered',
  status,
  ...more,
})
const failed = (kind: Trouble): AttemptEnd => ({ kind })
const after = (end: AttemptEnd, request = first, app = rules) => afterAttempt(end, request, app, 0.5).kind

describe('what follows an attempt, and what becomes of its runner', () => {
  test.each<[what: string, AttemptEnd, 'retry' | 'final', 'keep' | 'check' | 'probe' | 'terminate']>([
    ['200', answer(200), 'final', 'keep'],
    ['a redirect', answer(302), 'final', 'keep'],
    ['422', answer(422), 'final', 'keep'],
    ['429 from the app', answer(429), 'final', 'keep'],
    ['499 after a cancellation', answer(499), 'final', 'keep'],
    ['500', answer(500), 'final', 'check'],
    ['502', answer(502), 'final', 'check'],
    ['503', answer(503), 'retry', 'terminate'],
    ['504', answer(504), 'retry', 'check'],
    ['429 that asks for a retry', answer(429, { needsRetry: true }), 'retry', 'keep'],
    ['500 that asks for a retry', answer(500, { needsRetry: true }), 'retry', 'check'],
    ['503 that asks for none', answer(503, { needsRetry: false }), 'final', 'terminate'],
    ['200 that asks for a retry', answer(200, { needsRetry: true }), 'final', 'keep'],
    ['422 that asks for a retry', answer(422, { needsRetry: true }), 'final', 'keep'],
    ['200 that stops its runner', answer(200, { stopRunner: true }), 'final', 'terminate'],
    ['503 that keeps its runner', answer(503, { stopRunner: false }), 'retry', 'keep'],
    ['504 that keeps its runner', answer(504, { stopRunner: false }), 'retry', 'keep'],
    ['502 that asks for a retry', answer(502, { needsRetry: true }), 'retry', 'check'],
    ['504 that asks for none', answer(504, { needsRetry: false }), 'final', 'check'],
    ['429 that asks for none', answer(429, { needsRetry: false }), 'final', 'keep'],
    ['302 that asks for a retry', answer(302, { needsRetry: true }), 'final', 'keep'],
    ['200 that wants its health checked', answer(200, { checkHealth: true }), 'final', 'probe'],
    ['500 that wants its health checked', answer(500, { checkHealth: true }), 'final', 'probe'],
    ['503 that wants its health checked', answer(503, { checkHealth: true }), 'retry', 'terminate'],
    [
      '200 that stops a runner whose health it wants checked',
      answer(200, { stopRunner: true, checkHealth: true }),
      'final',
      'terminate',
    ],
    [
      '503 that keeps its runner and wants it checked',
      answer(503, { stopRunner: false, checkHealth: true }),
      'retry',
      'probe',
    ],
    ['500 that does not want its health checked', answer(500, { checkHealth: false }), 'final', 'check'],
    ['500 that keeps its runner', answer(500, { stopRunner: false }), 'final', 'keep'],
    ['a refused connection', failed('refused'), 'retry', 'terminate'],
    ['no connection in time', failed('connect_timeout'), 'retry', 'check'],
    ['another connection trouble', failed('connection_error'), 'retry', 'terminate'],
    ['a runner that vanished', failed('disconnected'), 'retry', 'terminate'],
    ['an incomplete response', failed('incomplete'), 'retry', 'terminate'],
    ['headers that are too large', failed('oversized'), 'final', 'keep'],
    ['request_timeout', failed('timed_out'), 'retry', 'terminate'],
    ['a restart of the platform', failed('restarted'), 'retry', 'terminate'],
    ['a call that was given up', { kind: 'aborted' }, 'final', 'keep'],
  ])('%s', (_, end, decision, verdict) => {
    expect(after(end)).toBe(decision)
    expect(runnerVerdict(end).kind).toBe(verdict)
  })
})

describe('a request that is tried no more is a dead letter', () => {
  const many = { ...first, attempt: mostAttempts }
  const banned = { ...first, retry: { forbidden: true, budgets: {} } }
  test.each<[claim: string, AttemptEnd, typeof first, RetryRules, dead: boolean]>([
    ['when its runner vanished for the last time', failed('disconnected'), many, rules, true],
    [
      'when it ran too long and is not tried again',
      failed('timed_out'),
      first,
      { ...rules, retryBudgets: { timeout: 0 } },
      true,
    ],
    ['when its runner vanished and its caller wants no retry', failed('refused'), banned, rules, true],
    ['when the app answered 503 as often as it was asked', answer(503), many, rules, true],
    ['when the app asked for one attempt too many', answer(500, { needsRetry: true }), many, rules, true],
    ["but not for the app's own 500", answer(500), many, rules, false],
    ["nor for the app's own 422", answer(422), first, rules, false],
    ['nor for a 503 that nobody wanted to be tried again', answer(503), banned, rules, false],
    ['nor for a 503 that the app means', answer(503, { needsRetry: false }), many, rules, false],
    ['nor when it went well', answer(200), many, rules, false],
    ['nor when the platform went down', { kind: 'aborted' }, first, rules, false],
  ])('%s', (_, end, request, app, dead) => {
    expect(afterAttempt(end, request, app, 0.5)).toEqual({ kind: 'final', dead })
  })
})

describe('each kind of failure uses up its own condition', () => {
  test.each<[AttemptEnd, RetryCondition]>([
    [answer(503), 'server_error'],
    [answer(504), 'server_error'],
    [failed('incomplete'), 'server_error'],
    [failed('disconnected'), 'connection_error'],
    [failed('refused'), 'connection_error'],
    [failed('restarted'), 'connection_error'],
    [failed('timed_out'), 'timeout'],
  ])('%j is %s', (end, condition) => {
    expect(afterAttempt(end, first, rules, 0.5)).toMatchObject({ kind: 'retry', used: { [condition]: 1 } })
    expect(after(end, first, { ...rules, skipRetryConditions: [condition] })).toBe('final')
    expect(after(end, first, { ...rules, retryBudgets: { [condition]: 1 } })).toBe('retry')
    expect(after(end, { ...first, used: { [condition]: 1 } }, { ...rules, retryBudgets: { [condition]: 1 } })).toBe(
      'final',
    )
  })
})

describe('the stronger word wins', () => {
  const budgets = { server_error: 0 }
  const forbidden = { ...first, retry: { forbidden: true, budgets: { server_error: 5 } } }
  const skips: RetryRules = { skipRetryConditions: ['server_error'], retryBudgets: { server_error: 5 } }

  test.each<[claim: string, AttemptEnd, typeof first, RetryRules, 'retry' | 'final']>([
    ["the caller's ban over the app's wish", answer(503, { needsRetry: true }), forbidden, rules, 'final'],
    ["the caller's ban over the caller's budget", answer(503), forbidden, rules, 'final'],
    [
      "the app's wish over the caller's budget",
      answer(503, { needsRetry: true }),
      { ...first, retry: { forbidden: false, budgets } },
      rules,
      'retry',
    ],
    ["the app's wish over the app's settings", answer(503, { needsRetry: true }), first, skips, 'retry'],
    [
      "the caller's budget over the app's skip",
      answer(503),
      { ...first, retry: { forbidden: false, budgets: { server_error: 1 } } },
      skips,
      'retry',
    ],
    [
      "the caller's budget over the app's budget",
      answer(503),
      { ...first, retry: { forbidden: false, budgets } },
      { ...rules, retryBudgets: { server_error: 3 } },
      'final',
    ],
    ["the app's skip over its budget", answer(503), first, skips, 'final'],
  ])('%s', (_, end, request, app, expected) => {
    expect(after(end, request, app)).toBe(expected)
  })
})

test('pauses double from a second to a minute, a fifth more or less by chance', () => {
  const pause = (attempt: number, chance: number) =>
    afterAttempt(failed('refused'), { ...first, attempt }, rules, chance)
  expect([1, 2, 3, 7, 9].map((attempt) => pause(attempt, 0.5))).toMatchObject(
    [1_000, 2_000, 4_000, 60_000, 60_000].map((delayMs) => ({ delayMs })),
  )
  expect(pause(1, 0)).toMatchObject({ delayMs: 800 })
  expect(pause(1, 1)).toMatchObject({ delayMs: 1_200 })
})

const anyCondition = fc.constantFrom<RetryCondition>('timeout', 'server_error', 'connection_error')
const anyBudgets: fc.Arbitrary<RetryBudgets> = fc.dictionary(anyCondition, fc.nat(50))
const anyEnd: fc.Arbitrary<AttemptEnd> = fc.oneof(
  fc.record({
    kind: fc.constant('answered' as const),
    status: fc.integer({ min: 100, max: 599 }),
    needsRetry: fc.option(fc.boolean(), { nil: undefined }),
    stopRunner: fc.option(fc.boolean(), { nil: undefined }),
  }),
  fc.record({
    kind: fc.constantFrom<Trouble>(
      'refused',
      'connect_timeout',
      'connection_error',
      'disconnected',
      'incomplete',
      'timed_out',
      'restarted',
    ),
  }),
)
const anyRules = fc.record({ skipRetryConditions: fc.array(anyCondition), retryBudgets: anyBudgets })

/** Attempts that are made when they end like this, one after the other. */
function attemptsMade(
  ends: readonly AttemptEnd[],
  retry: { forbidden: boolean; budgets: RetryBudgets },
  app: RetryRules,
) {
  let used: RetryBudgets = {}
  for (let attempt = 1; ; attempt += 1) {
    const decision = afterAttempt(ends[attempt % ends.length]!, { attempt, retry, used }, app, 0.5)
    if (decision.kind === 'final') return { attempts: attempt, used }
    used = decision.used
  }
}

test('no request is ever tried more than ten times, nor a condition beyond its budget', () => {
  fc.assert(
    fc.property(fc.array(anyEnd, { minLength: 1 }), anyBudgets, anyRules, (ends, budgets, app) => {
      const { attempts, used } = attemptsMade(ends, { forbidden: false, budgets }, app)
      expect(attempts).toBeLessThanOrEqual(mostAttempts)
      for (const [condition, budget] of Object.entries(budgets)) {
        expect(used[condition as RetryCondition] ?? 0).toBeLessThanOrEqual(budget)
      }
    }),
  )
})

test('a request that forbids retries is tried once, whatever happens', () => {
  fc.assert(
    fc.property(fc.array(anyEnd, { minLength: 1 }), anyBudgets, anyRules, (ends, budgets, app) => {
      expect(attemptsMade(ends, { forbidden: true, budgets }, app).attempts).toBe(1)
    }),
  )
})
