import { describe, expect, test } from 'vitest'
import {
  callerPays,
  hoursIn,
  hourMs,
  nothing,
  paidSpan,
  partsOfRunner,
  summed,
  unitsIn,
  type RunnerSpan,
} from './usage.ts'

const noon = 500_000 * hourMs

describe('a runner is paid for', () => {
  test.each<readonly [string, Partial<RunnerSpan>, now: number, from: number, to: number]>([
    ['until now while it lives', {}, noon + 50, 0, 50],
    ['from the start of its set-up to its end', { endedAt: noon + 40 }, noon + 99, 0, 40],
    [
      'until the server was last known to be up that did not end it',
      { endedAt: noon + 90, knownUntil: noon + 30 },
      noon + 99,
      0,
      30,
    ],
    [
      'until its end, where it is known to have lived no longer',
      { endedAt: noon + 20, knownUntil: noon + 30 },
      noon + 99,
      0,
      20,
    ],
    [
      'not at all, where the server was last known to be up before it started',
      { knownUntil: noon - 10 },
      noon + 99,
      0,
      0,
    ],
  ])('%s', (_, span, now, from, to) => {
    expect(paidSpan({ ...runner, ...span }, now)).toEqual({ from: noon + from, to: noon + to })
  })

  test('hour by hour, cut exactly at their edges, times its GPUs', () => {
    const parts = partsOfRunner({ ...runner, startedAt: noon - 1, endedAt: noon + hourMs + 2 }, noon + 9 * hourMs)
    expect(parts.map(({ hour, runnerMs, gpuMs }) => [hour - noon, runnerMs, gpuMs])).toEqual([
      [-hourMs, 1, 2],
      [0, hourMs, 2 * hourMs],
      [hourMs, 2, 4],
    ])
    expect(parts[0]).toMatchObject({ callerId: 'owner', keyId: '' })
  })
})

test('a span that ends on the hour does not touch the next', () => {
  expect(hoursIn({ from: noon, to: noon + hourMs })).toEqual([{ hour: noon, ms: hourMs }])
  expect(hoursIn({ from: noon, to: noon })).toEqual([])
})

test.each([
  ['somebody without a key', '', true, false],
  ['another account, of a shared app', 'other', true, true],
  ['another account, of a public app', 'other', false, false],
  ['the owner, of any app', 'owner', false, true],
])('%s pays: %s', (_, callerId, isShared, pays) => {
  expect(callerPays(callerId, { accountId: 'owner', isShared })).toBe(pays)
})

test('parts of the same are one', () => {
  const [part] = partsOfRunner({ ...runner, endedAt: noon + 5 }, noon + 9)
  if (part === undefined) throw new Error('no part')
  const others = [{ ...part, keyId: 'k' }, { ...part, ...nothing, requests: 1 }, part]
  expect(summed(others)).toEqual([
    { ...part, keyId: 'k' },
    { ...part, requests: 1 },
  ])
})

test.each([
  ['12.50000000', 1_250_000_000],
  ['0', 0],
  [undefined, 0],
  ['many', 0],
  ['-1', 0],
  ['Infinity', 0],
])('%s units', (text, units) => expect(unitsIn(text)).toBe(units))

const runner: RunnerSpan = {
  appId: 'app',
  accountId: 'owner',
  revisionId: 'revision',
  machineType: 'GPU-H100',
  gpuCount: 2,
  startedAt: noon,
}
