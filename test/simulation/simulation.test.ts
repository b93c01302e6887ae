import { expect, test } from 'vitest'
import { simulate } from './simulation.ts'

/** Longer plays: npm run simulate -- --seed 1 --days 7. */
const days = 0.5
/** Seconds of processor time, which a busy machine may take long to give. */
const timeout = 600_000

test.each(['1', '2', '3'])(
  'the control loop keeps its promises, whatever happens to it: seed %s',
  { timeout },
  async (seed) => {
    const { broken, events, starts, executions } = await simulate({ seed, days })
    const again = `again: npm run simulate -- --seed ${seed} --days ${days}`
    expect(broken, [...events, again].join('\n')).toEqual([])
    expect([starts, executions].every((count) => count > 100)).toBe(true)
  },
)

test('a seed plays the same again', { timeout }, async () => {
  const [once, again] = [await simulate({ seed: 'again', days: 0.1 }), await simulate({ seed: 'again', days: 0.1 })]
  expect(again).toEqual(once)
})
