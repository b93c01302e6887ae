import { expect, test } from 'vitest'
import { checkApart, filePathOf, relativePathOf } from './file-path.ts'

test.each([
  ['/data', []],
  ['/data/', []],
  ['', []],
  ['/data/a/b', ['a', 'b']],
  ['//data//a/./b/', ['a', 'b']],
  ['a/b', ['a', 'b']],
  ['data', ['data']], // relative: a folder of that name
])('%j leads below /data', (sent, path) => {
  expect(filePathOf(sent)).toEqual(path)
})

test.each([
  '/',
  '/etc/passwd',
  '/database',
  '/data/../etc',
  '../x',
  'a/../../x',
  'a\0b',
  `${'a/'.repeat(200)}b`,
  'x'.repeat(256),
  'x'.repeat(10_000_000),
])('%.20j is refused, in few words', (sent) => {
  const message = messageOf(() => filePathOf(sent))
  expect(message).toBeDefined()
  expect(message?.length).toBeLessThan(500)
})

test.each(['', '/a', 'a//b', 'a/', '../a', 'a/../b', 'a\0'])('%j is no path inside an archive', (sent) => {
  expect(messageOf(() => relativePathOf(sent))).toBeDefined()
})

test.each([
  [['a', 'a'], 'comes twice'],
  [['Read/Me', 'read/me'], 'comes twice'],
  [['\u00e9', 'e\u0301'], 'comes twice'],
  [['a', 'a/b'], 'a file and a folder'],
  [['a/b', 'a'], 'a file and a folder'],
  [['a/b', 'a/c', 'd'], undefined],
])('%j: %s', (paths, why) => {
  const said = messageOf(() => checkApart(paths.map((path) => path.split('/'))))
  if (why === undefined) expect(said).toBeUndefined()
  else expect(said).toContain(why)
})

function messageOf(work: () => unknown): string | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
