import { expect, test } from 'vitest'
import { RequestChanges } from './request-changes.ts'

test('each watcher of a request hears of its changes, and of nobody else’s, until it stops', () => {
  const changes = new RequestChanges()
  const heard: string[] = []
  const stopFirst = changes.watch('a', () => heard.push('first'))
  const stopSecond = changes.watch('a', () => heard.push('second'))
  changes.watch('b', () => heard.push('of b'))
  changes.tell('a')
  stopFirst()
  changes.tell('a')
  stopSecond()
  changes.tell('a')
  changes.tell('nobody’s')
  expect(heard).toEqual(['first', 'second', 'second'])
  changes.tellAll()
  expect(heard.at(-1)).toBe('of b')
})

test('a watcher that stops twice takes no other along', () => {
  const changes = new RequestChanges()
  const heard: string[] = []
  const stop = changes.watch('a', () => {})
  stop()
  changes.watch('a', () => heard.push('later'))
  stop()
  changes.tell('a')
  expect(heard).toEqual(['later'])
})
