import { describe, expect, test } from 'vitest'
import {
  chosenParts,
  decisionFor,
  isPassive,
  objectName,
  objectType,
  slicesOf,
  type Acl,
  type Part,
  type StoredObject,
} from './object.ts'
import type { Caller } from './permissions.ts'

test.each([
  ['cat.png', 'cat.png'],
  ['../../etc/passwd', 'passwd'],
  ['C:\\Users\\ann\\cat.png', 'cat.png'],
  ['dir/', 'file'],
  ['..', 'file'],
  ['', 'file'],
  [undefined, 'file'],
  ['a\u0000b\r\nc.txt', 'abc.txt'],
  ['gnp.\u202ecat.exe', 'gnp.cat.exe'],
  ['half \ud800.txt', 'half .txt'],
  ['größe 😀.txt', 'größe 😀.txt'],
  [`${'x'.repeat(300)}.png`, `${'x'.repeat(196)}.png`],
])('a file that is called %j gets the name %j', (sent, name) => {
  expect(objectName(sent)).toBe(name)
  expect(() => encodeURIComponent(name)).not.toThrow()
})

test.each([
  ['image/png', 'image/png'],
  ['text/plain; charset=utf-8', 'text/plain; charset=utf-8'],
  ['text/plain;charset="utf-8"', 'text/plain;charset="utf-8"'],
  ['text', 'application/octet-stream'],
  ['text/html\r\nset-cookie: a=b', 'application/octet-stream'],
  ['text/größe', 'application/octet-stream'],
  ['', 'application/octet-stream'],
  [undefined, 'application/octet-stream'],
  [`text/${'x'.repeat(300)}`, 'application/octet-stream'],
])('the content type %j is served as %j', (sent, type) => expect(objectType(sent)).toBe(type))

test.each(['text/html', 'image/svg+xml', 'application/xhtml+xml', 'text/xml', 'text/javascript', 'image/SVG+xml'])(
  '%s is nothing to show in a browser',
  (type) => expect(isPassive(type)).toBe(false),
)
test.each(['image/png', 'video/mp4', 'audio/wav', 'text/plain; charset=utf-8', 'application/json', 'application/pdf'])(
  '%s may be shown in a browser',
  (type) => expect(isPassive(type)).toBe(true),
)

const part = (number: number, length: number): Part => ({ number, length, file: `f${number}`, etag: `e${number}` })

describe('the bytes of a range', () => {
  const parts = [part(1, 10), part(2, 0), part(3, 5)]
  test.each([
    [0, 14, ['f1 0-9', 'f3 0-4']],
    [0, 0, ['f1 0-0']],
    [9, 10, ['f1 9-9', 'f3 0-0']],
    [12, 14, ['f3 2-4']],
    [0, -1, []],
  ])('from %i to %i are %j', (start, end, expected) => {
    expect(slicesOf(parts, { start, end }).map((slice) => `${slice.file} ${slice.start}-${slice.end}`)).toEqual(
      expected,
    )
  })
})

describe('parts are put together', () => {
  const parts = [part(1, 1), part(2, 1), part(3, 1)]
  const numbers = (chosen: readonly Part[]) => chosen.map(({ number }) => number)

  test('in the order of their numbers, whatever the list; those that are not listed are dropped', () => {
    const { kept, dropped } = chosenParts(parts, [
      { number: 3, etag: '"e3"' },
      { number: 1, etag: 'W/"e1"' },
    ])
    expect([numbers(kept), numbers(dropped)]).toEqual([[1, 3], [2]])
  })

  test('none make an empty file', () => expect(chosenParts([], [])).toEqual({ kept: [], dropped: [] }))

  test.each([
    [[], 'No part is listed, and 3 were uploaded'],
    [[{ number: 4, etag: 'e4' }], 'Part 4 is listed and was not uploaded'],
    [[{ number: 1, etag: 'other' }], 'not the one that is listed'],
    [
      [
        { number: 1, etag: 'e1' },
        { number: 1, etag: 'e1' },
      ],
      'or is listed twice',
    ],
  ])('%j is refused: %s', (listed, why) => expect(() => chosenParts(parts, listed)).toThrow(why))
})

describe('who may read', () => {
  const object = (acl?: Acl): StoredObject => ({
    id: 'id',
    accountId: 'account-ann',
    name: 'a',
    contentType: 'b/c',
    version: 0,
    acl,
  })
  const bob: Caller = { accountId: 'account-bob', nickname: 'bob', keyId: 'k', permissions: new Set() }
  const acl: Acl = { default: 'hide', rules: [{ user: 'bob', decision: 'allow' }] }

  test.each([
    ['nobody', object(), undefined, 'allow'],
    ['nobody', object(acl), undefined, 'hide'],
    ['bob, who has a rule', object(acl), bob, 'allow'],
    [
      'bob, by the id of his account',
      object({ ...acl, rules: [{ user: 'account-bob', decision: 'forbid' }] }),
      bob,
      'forbid',
    ],
    ['carol, who has none', object(acl), { ...bob, accountId: 'account-carol', nickname: 'carol' }, 'hide'],
    ['ann, whose it is', object({ default: 'hide', rules: [] }), { ...bob, accountId: 'account-ann' }, 'allow'],
  ])('%s: %#', (_who, what, reader, decision) => expect(decisionFor(what, reader)).toBe(decision))
})
