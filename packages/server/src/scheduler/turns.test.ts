import { expect, test } from 'vitest'
import { Turns } from './turns.ts'

test('an owner has a share, and all together have no more than there is', async () => {
  const turns = new Turns({ most: 3, share: 2 })
  const begun: string[] = []
  const ends = new Map<string, () => void>()
  const take = (owner: string, name: string) =>
    turns.take(owner, () => {
      begun.push(name)
      return new Promise<void>((end) => ends.set(name, end))
    })
  const all = [take('a', 'a1'), take('a', 'a2'), take('a', 'a3'), take('b', 'b1'), take('c', 'c1')]
  expect(begun).toEqual(['a1', 'a2', 'b1'])
  ends.get('b1')?.()
  await all[3]
  await expect.poll(() => begun).toEqual(['a1', 'a2', 'b1', 'c1'])
  ends.get('a1')?.()
  await expect.poll(() => begun).toEqual(['a1', 'a2', 'b1', 'c1', 'a3'])
  for (const end of ends.values()) end()
  await Promise.all(all)
})

test('work that fails makes room too', async () => {
  const turns = new Turns({ most: 1, share: 1 })
  await expect(turns.take('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(await turns.take('a', async () => 'yes')).toBe('yes')
})
