import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Sorted } from './sorted.ts'

const ascending = (a: number, b: number) => a - b

test('it is what a sorted array is, whatever is added and removed', () => {
  const step = fc.tuple(fc.constantFrom('add', 'add', 'remove', 'shift'), fc.nat(40))
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const sorted = new Sorted<number>(ascending)
      let model: number[] = []
      for (const [what, item] of steps) {
        if (what === 'add' && !model.includes(item)) {
          sorted.add(item)
          model = [...model, item].toSorted(ascending)
        } else if (what === 'remove') {
          expect(sorted.remove(item)).toBe(model.includes(item))
          model = model.filter((other) => other !== item)
        } else if (what === 'shift') expect(sorted.shift()).toBe(model.shift())
        expect([sorted.size, sorted.first]).toEqual([model.length, model[0]])
        expect(sorted.rankOf(item)).toBe(model.filter((other) => other < item).length)
      }
    }),
  )
})

test('many items in any order come out in order, with their ranks', () => {
  const sorted = new Sorted<number>(ascending)
  const count = 10_007
  for (let i = 0; i < count; i += 1) sorted.add((i * 7_919) % count)
  expect([0, 1, 5_000, count - 1].map((item) => sorted.rankOf(item))).toEqual([0, 1, 5_000, count - 1])
  expect(Array.from({ length: count }, () => sorted.shift())).toEqual(Array.from({ length: count }, (_, i) => i))
  expect(sorted.first).toBeUndefined()
})
