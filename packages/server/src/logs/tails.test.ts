import { expect, test } from 'vitest'
import type { LogLine } from './log-store.ts'
import { Tails } from './tails.ts'

const aLine = (message: string, more: Partial<LogLine> = {}): LogLine => ({
  at: 0,
  source: 'user',
  level: 'stdout',
  message,
  accountId: 'account',
  runnerId: 'runner',
  ...more,
})
const messages = (lines: readonly LogLine[]) => lines.map(({ message }) => message)
const whole = { readers: 10, weight: 10_000 }
const never = new AbortController().signal

test('a reader gets each line once, in the order in which they came', async () => {
  const tails = new Tails(whole)
  using tail = tails.open({})
  for (const message of ['one', 'two']) tails.push(aLine(message))
  expect(messages(await tail.next(never))).toEqual(['one', 'two'])
  const later = tail.next(never)
  tails.push(aLine('three'))
  expect(messages(await later)).toEqual(['three'])
})

test.each([
  ['its account', { accountId: 'other' }],
  ['its runner', { runnerId: 'other' }],
  ['a part of the message, whatever its case', { message: 'all is well' }],
])('a reader may be after %s alone', async (_what, different) => {
  const tails = new Tails(whole)
  using tail = tails.open({ accountId: 'account', runnerId: 'runner', search: 'ERROR' })
  tails.push(aLine('an error', different))
  tails.push(aLine('Error: wanted'))
  expect(messages(await tail.next(never))).toEqual(['Error: wanted'])
})

test('waiting ends with its signal, and nothing is lost by it', async () => {
  const tails = new Tails(whole)
  using tail = tails.open({})
  const patience = new AbortController()
  const nothing = tail.next(patience.signal)
  patience.abort()
  expect(await nothing).toEqual([])
  tails.push(aLine('one'))
  expect(messages(await tail.next(AbortSignal.abort()))).toEqual(['one'])
})

test('a reader who is too far behind is told so, and nothing more is kept for it', async () => {
  const tails = new Tails({ readers: 10, weight: 1_000 })
  using slow = tails.open({})
  using quick = tails.open({})
  for (const message of ['one', 'two', 'three', 'four']) {
    tails.push(aLine(message))
    expect(messages(await quick.next(never))).toEqual([message])
  }
  await expect(slow.next(never)).rejects.toMatchObject({ code: 'too_busy' })
})

test('there is a limit to readers; one that left makes room', () => {
  const tails = new Tails({ readers: 1, weight: 1_000 })
  {
    using _ = tails.open({})
    expect(() => tails.open({})).toThrow('1 readers follow logs already')
  }
  expect(() => tails.open({})).not.toThrow()
})
