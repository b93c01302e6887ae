import { expect, test } from 'vitest'
import { OneAtATime } from './one-at-a-time.ts'

test('tasks of one name follow each other, also after one that failed; those of another name do not wait', async () => {
  const said: string[] = []
  const turns = new OneAtATime()
  const gate = Promise.withResolvers<void>()
  const first = turns.run('a', async () => {
    await gate.promise
    said.push('first')
    throw new Error('it failed')
  })
  const second = turns.run('a', async () => said.push('second'))
  await turns.run('b', async () => said.push('other'))
  gate.resolve()
  await expect(first).rejects.toThrow('it failed')
  await second
  expect(said).toEqual(['other', 'first', 'second'])
})
