import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { expect, test } from 'vitest'
import { reasonOf, sentenceOf } from './errno.ts'

const refused = (path: string, flags = 'r') =>
  open(path, flags).then(
    () => undefined,
    (error: unknown) => error,
  )

test('what the machine says of a path is told in words, with the path', async () => {
  expect(sentenceOf(await refused('/nope'))).toBe('/nope: there is no such file or folder')
  expect(sentenceOf(await refused(tmpdir(), 'w'))).toBe(`${tmpdir()}: it is a folder, not a file`)
  expect(reasonOf(await refused('/nope'))).toBe('there is no such file or folder')
})

test.each([
  [new Error('There is no app of that name'), 'There is no app of that name'],
  [Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }), 'connect ECONNREFUSED'],
  ['text', 'text'],
])('everything else stays as it is: %s', (error, sentence) => {
  expect(sentenceOf(error)).toBe(sentence)
  expect(reasonOf(error)).toBe(sentence)
})
