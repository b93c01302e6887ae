import { describe, expect, test } from 'vitest'
import { choresAt, keptMs, lookAgainAfter, restAfter } from './retention.ts'

const day = 86_400_000
const now = 1_800_000_000_000
const rules = { requestsMs: 30 * day }
const requestChores = (...args: Parameters<typeof choresAt>) =>
  choresAt(...args).filter(({ kind }) => kind === 'requests')
const ended = (appId: string, ageDays: number, retention_days?: number) => ({
  appId,
  oldest: now - ageDays * day,
  queue: retention_days === undefined ? {} : { retention_days },
})

describe('what ended', () => {
  test.each([
    ['stays as long as the server keeps it', ended('a', 29), undefined],
    ['goes when that is over', ended('a', 31), 30],
    ['goes sooner where its app says so', ended('a', 3, 2), 2],
    ['stays longer where its app says so', ended('a', 31, 60), undefined],
    ['stays for ever where its app says so', ended('a', 10_000, 0), undefined],
    ['stays to the very moment', ended('a', 30), undefined],
  ])('%s', (_, app, days) => {
    const before = days === undefined ? [] : [expect.objectContaining({ appId: 'a', before: now - days * day })]
    expect(requestChores(now, [app], rules)).toEqual(before)
  })

  test('stays for ever where the server says so, and the app does not', () => {
    const chores = requestChores(now, [ended('a', 10_000), ended('b', 2, 1)], { requestsMs: keptMs(0) })
    expect(chores).toMatchObject([{ appId: 'b' }])
  })

  test('goes in the order in which it is overdue, and a sweep that has fallen behind does not rest', () => {
    expect(requestChores(now, [ended('a', 30.001), ended('b', 33), ended('c', 2, 1)], rules)).toMatchObject([
      { appId: 'b', late: true },
      { appId: 'c', late: true },
      { appId: 'a', late: false },
    ])
  })
})

test('payloads that nobody wants kept go after an hour, rows of runners after what reports can ask about', () => {
  expect(choresAt(now, [], rules)).toEqual([
    { kind: 'payloads', before: now - day / 24, late: false },
    { kind: 'runners', before: now - 90 * day, late: false },
  ])
})

test('the sweep takes a quarter of the time unless it is late', () => {
  expect(restAfter({ tookMs: 10, late: false })).toBe(30)
  expect(restAfter({ tookMs: 10, late: true })).toBe(0)
})

test.each([
  [[30 * day], 60_000],
  [[30 * day, 100_000], 10_000],
  [[1_000], 1_000],
  [[Infinity], 60_000],
])('with what is kept for %j ms, the next look comes after %d ms', (kept, after) => {
  expect(lookAgainAfter(kept)).toBe(after)
})
