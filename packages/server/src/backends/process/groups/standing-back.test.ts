import { expect, test } from 'vitest'
import { standsBack } from './standing-back.ts'

test.each([
  ['one that gets a good part of a core goes on', { forMs: 500, cpuMs: 200, starting: 1 }, true],
  ['one that gets next to nothing does not', { forMs: 500, cpuMs: 10, starting: 1 }, false],
  ['fifty that share two cores go on', { forMs: 1_000, cpuMs: 40, starting: 50 }, true],
  ['fifty that get next to nothing do not', { forMs: 1_000, cpuMs: 1, starting: 50 }, false],
  ['whatever it gets, it does not go on for long', { forMs: 3_000, cpuMs: 3_000, starting: 1 }, false],
  ['where nothing is told, it goes on for a while', { forMs: 500, cpuMs: undefined, starting: 1 }, true],
  ['where nothing is told, a while is short', { forMs: 1_000, cpuMs: undefined, starting: 1 }, false],
])('of those that start behind everybody: %s', (_, start, goesOn) => {
  expect(standsBack(start)).toBe(goesOn)
})
