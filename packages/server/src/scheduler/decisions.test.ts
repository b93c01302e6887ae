import { expect, test } from 'vitest'
import type { Block, Decision } from '../domain/decision.ts'
import { DecisionLog } from './decisions.ts'

const capped: Block = { kind: 'max_concurrency', wanted: 3, cap: 1 }
const decision = (at: number, more: Partial<Decision> = {}): Decision => ({
  at,
  there: { pending: 0, starting: 0, idle: 0, busy: 0, ending: 0, finishing: 0 },
  steps: [],
  blocks: [capped],
  ...more,
})
const drained = decision(5, {
  steps: [{ kind: 'drain', runner: 'r', cause: 'keep_alive', idleMs: 1, limitMs: 1, used: true }],
})

test('a decision that says nothing new counts up and is kept as it was last seen', () => {
  const log = new DecisionLog()
  for (const at of [1, 2, 3]) log.note('app', decision(at))
  expect(log.of('app')).toEqual([{ decision: decision(3), firstAt: 1, times: 3 }])
})

test('whatever is done is news, and so is another reason', () => {
  const log = new DecisionLog()
  log.note('app', drained)
  log.note('app', drained)
  log.note('app', decision(6))
  log.note('app', decision(7, { blocks: [{ kind: 'paused', held: 1 }] }))
  expect(log.of('app').map(({ times }) => times)).toEqual([1, 1, 1, 1])
})

test('the last fifty of an app are kept, the last one first, of a thousand apps that were decided about last', () => {
  const log = new DecisionLog()
  for (let at = 0; at < 60; at += 1) log.note('app', { ...drained, at })
  expect(log.of('app').map(({ firstAt }) => firstAt)).toEqual(Array.from({ length: 50 }, (_, index) => 59 - index))
  for (let other = 0; other < 1_000; other += 1) log.note(`other-${other}`, decision(1))
  expect(log.of('app')).toEqual([])
  expect(log.of('other-0')).toHaveLength(1)
})

test('apps that are gone are forgotten', () => {
  const log = new DecisionLog()
  log.note('gone', decision(1))
  log.tidy((id) => id !== 'gone')
  expect(log.of('gone')).toEqual([])
})

test('what is not on disk is taken once, as it is now, and again when it could not be kept', () => {
  const log = new DecisionLog()
  for (const at of [1, 2]) log.note('app', decision(at))
  log.note('other', decision(3))
  const first = { appId: 'app', kept: { decision: decision(2), firstAt: 1, times: 2 } }
  expect(log.take(1)).toEqual([first])
  expect(log.take(10)).toMatchObject([{ appId: 'other' }])
  expect(log.take(10)).toEqual([])
  log.putBack([first])
  log.note('app', decision(4))
  expect(log.take(10)).toEqual([{ appId: 'app', kept: { decision: decision(4), firstAt: 1, times: 3 } }])
})
