import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { answered, beginHealth, isDue, isIll, sent, type Health } from './health.ts'
import type { HealthCheck } from './revision.ts'

const second = 1_000
const startedAt = 1_000_000
const check: HealthCheck = {
  path: '/health',
  method: 'POST',
  startPeriodSeconds: 30,
  timeoutSeconds: 5,
  failureThreshold: 3,
  callRegularly: true,
}
const begun = (changes: Partial<HealthCheck> = {}, startupSeconds = 10, readyAfter = 2) =>
  beginHealth(
    { ...check, ...changes },
    { startedAt, readyBy: startedAt + startupSeconds * second },
    startedAt + readyAfter * second,
  )
const at = (seconds: number) => startedAt + seconds * second

describe('the time from which failures count', () => {
  test('is the start period after its start-up began', () => expect(begun().countsFrom).toBe(at(30)))

  test('is the end of a start-up that may take longer', () => expect(begun({}, 600).countsFrom).toBe(at(600)))

  test.each([
    [29.9, 0],
    [30, 1],
  ])('a failure after %d s counts %d times', (seconds, failures) =>
    expect(answered(begun(), false, at(seconds)).failures).toBe(failures),
  )
})

describe('a regular check', () => {
  test('comes 15 s after it was ready, and every 15 s', () => {
    const health = begun()
    expect([isDue(check, health, 0, at(16.9)), isDue(check, health, 0, at(17))]).toEqual([false, true])
    expect(sent(health, at(18)).dueAt).toBe(at(32))
  })

  test('that could not be made for long is made once', () => expect(sent(begun(), at(1_000)).dueAt).toBe(at(1_015)))

  test('is never due for an app that asks for its checks itself', () =>
    expect(isDue(check, begun({ callRegularly: false }), 0, at(9_999))).toBe(false))

  test.each([
    [undefined, true],
    [true, true],
    [false, false],
  ])('beside requests, where allow_on_busy is %s: %s', (allowOnBusy, due) => {
    const declared = allowOnBusy === undefined ? check : { ...check, allowOnBusy }
    expect(isDue(declared, begun(), 1, at(20))).toBe(due)
    expect(isDue(declared, begun(), 0, at(20))).toBe(true)
  })
})

test('a runner is ill exactly when the last answers, as many as the threshold, were failures that count', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean()), fc.integer({ min: 1, max: 5 }), fc.nat(20), (answers, threshold, early) => {
      const declared = { ...check, failureThreshold: threshold }
      const moment = (index: number) => at(index < early ? 0 : 60)
      const steps = answers.map((well, index) => ({ well, now: moment(index) }))
      const health = steps.reduce<Health>((before, { well, now }) => answered(before, well, now), begun())
      const lastWell = answers.lastIndexOf(true)
      const counted = steps.slice(lastWell + 1).filter(({ now }) => now >= health.countsFrom)
      expect(isIll(declared, health)).toBe(counted.length >= threshold)
    }),
  )
})
