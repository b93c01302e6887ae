import { expect, test } from 'vitest'
import { atTurnsEnd } from './turn.ts'

const soon = (work: () => void) => new Promise<void>((resolve) => atTurnsEnd(() => (work(), resolve())))

test('what is left for the end of a turn is done there, in order, and what comes up meanwhile at the end of the next', async () => {
  const seen: string[] = []
  const note = (word: string) => () => void seen.push(word)
  let next: Promise<void> | undefined
  const first = soon(() => {
    seen.push('one')
    next = soon(note('four'))
  })
  const second = soon(note('two'))
  await Promise.resolve().then(note('a promise'))
  seen.push('this turn')
  await Promise.all([first, second]).then(note('three'))
  await next
  expect(seen).toEqual(['a promise', 'this turn', 'one', 'two', 'three', 'four'])
})
