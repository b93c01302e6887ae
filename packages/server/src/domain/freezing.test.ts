import { expect, test } from 'vitest'
import { checkedFreezeAfter, freezeAfterMs, freezeStep, type Freezable } from './freezing.ts'

const now = 1_800_000_000_000
const idle = (more: Partial<Freezable> = {}): Freezable => ({
  runner: { state: 'serving' },
  inFlight: 0,
  idleSince: now - 60_000,
  ...more,
})
const wanted = { afterMs: 60_000, isAttended: false }
const frozenSince = now - 10

test.each([
  ['idle for long enough', idle(), wanted, 'freeze'],
  ['idle for a moment less', idle({ idleSince: now - 59_999 }), wanted, { lookAt: now + 1 }],
  ['with a request, a stream or a WebSocket', idle({ inFlight: 1 }), wanted, { lookAt: now + 60_000 }],
  ['that somebody is at', idle(), { ...wanted, isAttended: true }, undefined],
  ['whose app is never frozen', idle(), { ...wanted, afterMs: undefined }, undefined],
  ['that is frozen already', idle({ frozenSince }), wanted, undefined],
  ['that is frozen and has just got a request', idle({ frozenSince, inFlight: 1 }), wanted, undefined],
  ['whose app is frozen no more', idle({ frozenSince }), { ...wanted, afterMs: undefined }, 'thaw'],
  ['in setup', idle({ runner: { state: 'setup' } }), wanted, undefined],
  ['that ends', idle({ runner: { state: 'draining' }, frozenSince }), wanted, undefined],
] as const)('a runner %s', (_, runner, given, step) => {
  expect(freezeStep(runner, given, now)).toEqual(step)
})

test("an app's own word counts before the installation's, and 0 is never", () => {
  expect(freezeAfterMs({}, 0)).toBeUndefined()
  expect(freezeAfterMs({}, 30)).toBe(30_000)
  expect(freezeAfterMs({ freezeAfter: 5 }, 30)).toBe(5_000)
  expect(freezeAfterMs({ freezeAfter: 0 }, 30)).toBeUndefined()
})

test.each([-1, 0.5, 604_801, Number.NaN])('%s seconds cannot be set', (seconds) => {
  expect(() => checkedFreezeAfter(seconds)).toThrow(/freeze_after is .*, but must be 0 \(never\)/)
})
