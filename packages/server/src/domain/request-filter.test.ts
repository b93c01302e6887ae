import { describe, expect, test } from 'vitest'
import { isChoosy, isMeant, placesOf, requestWords, type RequestWord } from './request-filter.ts'

const input = { path: '/generate/fast?x=1', callerId: 'ann' }
const ended = { state: 'completed', dead: false, input } as const
const failed = (code: 'client_cancelled' | 'runner_disconnected', more: object = {}) =>
  ({ ...ended, status: 503, error: { code }, ...more }) as const

test.each<[what: string, Parameters<typeof isMeant>[0], words: readonly RequestWord[]]>([
  ['one that waits', { state: 'waiting', dead: false }, ['in_queue']],
  ['one that runs', { state: 'running', dead: false }, ['in_progress']],
  ['one that went well', { ...ended, status: 200 }, ['completed', 'succeeded']],
  ["one that the app answered with an error of the caller's", { ...ended, status: 422 }, ['completed', 'failed']],
  ['one that the platform failed', failed('runner_disconnected'), ['completed', 'failed']],
  ['one that was cancelled', failed('client_cancelled'), ['completed', 'cancelled']],
  ['a dead letter', failed('runner_disconnected', { dead: true }), ['completed', 'failed', 'dead']],
])('%s has these statuses and no other', (_, request, words) => {
  expect(requestWords.filter((status) => isMeant(request, { status }))).toEqual(words)
})

test.each([
  ['/generate', true],
  ['/generate/', true],
  ['/generate/fast', true],
  ['/', true],
  ['/gen', false],
  ['/generate/fast/er', false],
])('%s is the path, or above it: %s', (route, expected) => {
  expect(isMeant({ ...ended, status: 200 }, { route })).toBe(expected)
})

test('a request whose input is kept no longer is of no known caller and path', () => {
  const { input: _, ...without } = ended
  expect(isMeant(without, { route: '/' })).toBe(false)
  expect(isMeant(without, { callerId: 'ann' })).toBe(false)
  expect(isMeant(without, {})).toBe(true)
})

test('everything that is asked must hold', () => {
  const one = failed('runner_disconnected', { keyId: 'key' })
  const asked = { status: 'failed', callerId: 'ann', keyId: 'key', error: 'runner_disconnected' } as const
  expect(isMeant(one, asked)).toBe(true)
  for (const other of [{ status: 'in_queue' as const }, { callerId: 'bob' }, { keyId: 'k' }, { error: 'x' }])
    expect(isMeant(one, { ...asked, ...other })).toBe(false)
})

describe('it is looked for where it can be', () => {
  test.each([
    [{}, { open: true, ended: 'all' }],
    [{ callerId: 'ann' }, { open: true, ended: 'all' }],
    [{ status: 'in_queue' }, { open: true }],
    [{ status: 'in_progress', error: 'x' }, { open: false }],
    [{ status: 'succeeded' }, { open: false, ended: 'all' }],
    [{ status: 'failed' }, { open: false, ended: 'failed' }],
    [{ status: 'cancelled' }, { open: false, ended: 'failed' }],
    [{ status: 'dead' }, { open: false, ended: 'dead' }],
    [{ error: 'request_timeout' }, { open: false, ended: 'failed' }],
  ] as const)('%j', (filter, places) => expect(placesOf(filter)).toEqual(places))

  test('and what the place alone does not decide is looked through', () => {
    expect([{}, { status: 'dead' }, { status: 'completed' }].map((filter) => isChoosy(filter as object))).toEqual([
      false,
      false,
      false,
    ])
    expect([{ status: 'failed' }, { keyId: 'k' }].map((filter) => isChoosy(filter as object))).toEqual([true, true])
  })
})
