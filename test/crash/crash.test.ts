import { expect, test } from 'vitest'
import { play } from './campaign.ts'
import { faults, type Fault } from './faults.ts'
import { Worlds } from './worlds.ts'

const seed = 20_261_125

/** Every fault that a world on an ordinary disk has room for; test/e2e/disk-full.test.ts fills one. */
const usual: readonly (readonly [string, Fault])[] = Object.entries(faults).filter(([, { smallDisk }]) => !smallDisk)

test('whatever fault strikes, nothing that was acknowledged is lost, runs too often or changes its result', async () => {
  await using worlds = new Worlds()
  const world = await worlds.for({})
  if (typeof world === 'string') throw new Error(world)
  const withoutShim = world.shim === undefined // no C compiler: fsyncs cannot fail and the clock cannot be stepped
  const all = usual.filter(([, { needsShim }]) => !(needsShim && withoutShim))
  const batch = await play(world, all, { seed, from: 0, rounds: all.length })
  expect(batch.violations).toEqual([])
  expect(batch.struck, 'rounds in which the fault struck').toBeGreaterThan(all.length / 2)
  expect(batch.executions).toBeGreaterThan(20)
})
