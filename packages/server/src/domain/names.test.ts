import { assert, property, string } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CarrickError } from './errors.ts'
import {
  checkAppName,
  checkEnvironmentName,
  checkOwner,
  defaultOwner,
  joinAlias,
  reservedOwners,
  splitAlias,
} from './names.ts'

describe('an app may be called', () => {
  test.each(['a', '7', 'hello', 'text-to-image', 'o-n-n-x-model', 'x'.repeat(63)])('%s', (name) => {
    expect(() => checkAppName(name)).not.toThrow()
  })
})

describe('an app may not be called', () => {
  test.each([
    ['', 'cannot be the name of an app: use lower-case letters'],
    ['Hello_World', '"Hello_World" cannot be the name of an app'],
    ['Hello_World', 'such as "hello-world"'],
    ['hello--staging', 'single hyphens'],
    ['-hello', 'such as "hello"'],
    ['hello-', 'such as "hello"'],
    ['../../etc', 'such as "etc"'],
    ['hello/world', 'such as "hello-world"'],
    ['héllo', 'such as "h-llo"'],
    ['hello\n', 'such as "hello"'],
    ['x'.repeat(64), '63 characters at most'],
    ['\u{1F600}', '63 characters at most'],
  ])('%j (%s)', (name, sentence) => {
    expect(() => checkAppName(name)).toThrow(sentence)
    expect(() => checkAppName(name)).toThrow(CarrickError)
  })
})

test('an environment follows the rule of apps, and may be main', () => {
  expect(() => checkEnvironmentName('main')).not.toThrow()
  expect(() => checkEnvironmentName('staging-2')).not.toThrow()
  expect(() => checkEnvironmentName('a--b')).toThrow('cannot be the name of an environment')
})

describe('an owner', () => {
  test('follows the rule of apps', () => {
    expect(() => checkOwner('alice')).not.toThrow()
    expect(() => checkOwner('Alice')).toThrow('such as "alice"')
  })

  test.each([...reservedOwners])('may not be %s', (reserved) => {
    expect(() => checkOwner(reserved)).toThrow(`"${reserved}" cannot be an owner`)
  })

  test.each([
    ['alice', 'alice'],
    ['Alice.Smith', 'alice-smith'],
    ['DOMAIN\\bob', 'domain-bob'],
    ['_svc_', 'svc'],
    ['', 'local'],
    ['名前', 'local'],
    ['logs', 'local'],
    [`${'x'.repeat(62)}-y`, 'x'.repeat(62)],
  ])('is, for the login name %j, %s', (login, owner) => {
    expect(defaultOwner(login)).toBe(owner)
  })

  test('by default can always be one', () => {
    assert(property(string({ unit: 'binary' }), (login) => checkOwner(defaultOwner(login))))
  })
})

describe('an alias', () => {
  test.each([
    ['hello', { base: 'hello', environment: 'main' }],
    ['hello--staging', { base: 'hello', environment: 'staging' }],
    ['text-to-image--eu-1', { base: 'text-to-image', environment: 'eu-1' }],
    ['hello--', { base: 'hello', environment: '' }],
    ['a--b--c', { base: 'a', environment: 'b--c' }],
  ])('%s is %j', (name, parts) => {
    expect(splitAlias(name)).toEqual(parts)
  })

  test.each(['hello', 'hello--staging'])('%s is put together as it was taken apart', (name) => {
    expect(joinAlias(splitAlias(name))).toBe(name)
  })
})
