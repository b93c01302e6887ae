import { describe, expect, test } from 'vitest'
import {
  forbidsKeeping,
  forbidsRetries,
  headerPairs,
  priorityOf,
  retryBudgets,
  startTimeoutMs,
} from './platform-headers.ts'

test('low is the only priority that is not normal', () => {
  const priorities = ['low', ' LOW ', 'normal', 'high', ''].map((word) => priorityOf({ 'x-fal-queue-priority': word }))
  expect(priorities).toEqual(['low', 'low', 'normal', 'normal', 'normal'])
  expect(priorityOf({})).toBe('normal')
})

test('three words forbid retries', () => {
  const words = ['1', 'true', 'YES', '0', 'false', 'on']
  expect(words.filter((word) => forbidsRetries({ 'x-fal-no-retry': word }))).toEqual(['1', 'true', 'YES'])
})

test('three words say that nothing is to be kept', () => {
  const words = ['0', 'false', 'NO', '1', 'true', '']
  expect(words.filter((word) => forbidsKeeping({ 'x-fal-store-io': word }))).toEqual(['0', 'false', 'NO'])
  expect(forbidsKeeping({})).toBe(false)
})

describe('the start deadline', () => {
  test.each([
    ['30', 30_000],
    ['30.0', 30_000],
    ['0.1', 100],
    [' 2.5 ', 2_500],
  ])('%s is %d ms', (text, expected) => {
    expect(startTimeoutMs({ 'x-fal-request-timeout': text })).toBe(expected)
  })

  test.each(['', '-1', '0', '0.05', 'soon', '1e3', '0x10', 'Infinity', '1, 2'])('%j is refused', (text) => {
    expect(() => startTimeoutMs({ 'x-fal-request-timeout': text })).toThrow(/number of seconds/)
  })

  test('the newer header wins, and is the one that must make sense', () => {
    const both = { 'x-fal-request-timeout': 'nonsense', 'x-fal-request-start-timeout': '5' }
    expect(startTimeoutMs(both)).toBe(5_000)
    expect(startTimeoutMs({})).toBeUndefined()
  })
})

describe('the retry budgets of a request', () => {
  test.each([
    ['{"timeout":{"retries":2},"server_error":{"retries":0}}', { timeout: 2, server_error: 0 }],
    ['{"connection_error":{"retries":-3}}', { connection_error: 0 }],
    ['{"timeout":3,"server_error":{"retries":"2"},"moon_phase":{"retries":1}}', {}],
    ['{"timeout":{"retries":1.5}}', {}],
    ['not json', {}],
    ['null', {}],
    ['[1]', {}],
    ['{"__proto__":{"timeout":{"retries":1}}}', {}],
  ])('%s', (text, expected) => expect(retryBudgets({ 'x-fal-retry-config': text })).toEqual(expected))
})

test('header pairs keep their order and what is repeated', () => {
  expect(headerPairs(['X-A', '1', 'x-a', '2', 'B', ''])).toEqual([
    ['x-a', '1'],
    ['x-a', '2'],
    ['b', ''],
  ])
})
