import { expect, test } from 'vitest'
import { Blocks } from './blocks.ts'

test('blocks go round: there are as many as were in use at a time', () => {
  const blocks = new Blocks()
  const made = new Set<SharedArrayBuffer>()
  for (let count = 0; count < 100; count += 1) {
    const three = [blocks.take(), blocks.take(), blocks.take()]
    for (const block of three) made.add(block.buffer)
    for (const block of three) blocks.give(block)
  }
  expect(made.size).toBe(3)
})

test('blocks are scarce while many are in use', () => {
  const blocks = new Blocks()
  const taken = Array.from({ length: 100 }, () => blocks.take())
  expect(blocks.areScarce).toBe(true)
  for (const block of taken) blocks.give(block)
  expect(blocks.areScarce).toBe(false)
})
