import { expect, test } from 'vitest'
import { Turns } from './turns.ts'

const forever = new AbortController().signal
const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Tasks that end when they are told to. */
function aQueue(most: number) {
  const turns = new Turns(most)
  const started: string[] = []
  const ends = new Map<string, () => void>()
  const ahead = new Map<string, number>()
  const add = (name: string, signal = forever) => {
    const task = () => new Promise<void>((resolve) => (started.push(name), ends.set(name, resolve)))
    return turns.run(task, signal, (before) => ahead.set(name, before))
  }
  const end = async (name: string) => (ends.get(name)?.(), await settled())
  return { add, end, started, ahead }
}

test('so many run at a time, the others wait and hear how many are before them', async () => {
  const { add, end, started, ahead } = aQueue(2)
  const all = ['a', 'b', 'c', 'd'].map((name) => add(name))
  await settled()
  expect(started).toEqual(['a', 'b'])
  expect([...ahead]).toEqual([
    ['c', 2],
    ['d', 3],
  ])
  await end('b')
  expect(started).toEqual(['a', 'b', 'c'])
  for (const name of ['a', 'c', 'd']) await end(name)
  await Promise.all(all)
})

test('whoever gives up waiting takes no turn', async () => {
  const { add, end, started } = aQueue(1)
  const first = add('first')
  const givingUp = new AbortController()
  const second = add('second', givingUp.signal)
  const third = add('third')
  givingUp.abort(new Error('changed my mind'))
  await expect(second).rejects.toThrow('changed my mind')
  await end('first')
  expect(started).toEqual(['first', 'third'])
  await end('third')
  await Promise.all([first, third])
})

test('a task that fails gives its turn back', async () => {
  const turns = new Turns(1)
  await expect(
    turns.run(
      () => Promise.reject(new Error('broken')),
      forever,
      () => {},
    ),
  ).rejects.toThrow('broken')
  expect(
    await turns.run(
      () => Promise.resolve('next'),
      forever,
      () => {},
    ),
  ).toBe('next')
})
