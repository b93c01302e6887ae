import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { atTurnsEnd, withOthers } from './turn.ts'

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

test('what throws keeps nobody else’s from being done', () => {
  const program = `
    import { atTurnsEnd } from ${JSON.stringify(new URL('./turn.ts', import.meta.url).href)}
    process.on('uncaughtException', ({ message }) => console.log(message))
    atTurnsEnd(() => console.log('one'))
    atTurnsEnd(() => { throw new Error('two') })
    atTurnsEnd(() => console.log('three'))
  `
  const printed = execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
  expect(printed).toBe('one\ntwo\nthree\n')
})

test('one alone is done at once, several in a turn together from the next turn on, until one is alone again', async () => {
  const seen: string[] = []
  const turn = async (...words: string[]) => {
    for (const word of words) withOthers(() => void seen.push(word))
    seen.push('|')
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
  }
  await turn('alone')
  await turn('one', 'two')
  await turn('three', 'four')
  await turn('five')
  await turn('alone again')
  expect(seen.join(' ')).toBe('alone | one two | | three four | five alone again |')
})
