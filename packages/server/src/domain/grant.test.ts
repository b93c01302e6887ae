import { describe, expect, test } from 'vitest'
import { beyond, grantOf, scopeOf } from './grant.ts'
import { held, permissions, presets, type Caller, type Granted } from './permissions.ts'

describe('a key that is asked for', () => {
  test.each([
    [{ preset: 'FULL' }, presets.ADMIN],
    [{ preset: 'READONLY' }, presets.READONLY],
    [{ scope: 'API' }, presets.API],
    [{ scope: 'ADMIN' }, presets.ADMIN],
    [{}, presets.ADMIN],
    [{ permissions: ['logs:read', 'apps:call', 'logs:read'] }, ['logs:read', 'apps:call']],
    [{ permissions: ['models:requests:submit', 'account:settings:read'] }, ['apps:call', 'account:read']],
    [{ permissions: ['serverless:apps:run', 'apps:call'] }, ['apps:call']],
  ])('with %j is granted %j', (asked, granted) => {
    expect(grantOf(asked)).toEqual(granted)
  })

  test.each([
    [{ preset: 'ROOT' }, '"ROOT" is not a preset'],
    [{ preset: 'RUNNER' }, '"RUNNER" is not a preset'],
    [{ preset: 'ADMIN' }, '"ADMIN" is not a preset'],
    [{ preset: 'full' }, '"full" is not a preset'],
    [{ preset: '' }, '"" is not a preset'],
    [{ preset: 'toString' }, '"toString" is not a preset'],
    [{ scope: '7' }, '"7" is not a scope'],
    [{ permissions: ['apps:read', 'moon:land'] }, '"moon:land" is not a permission'],
    [{ permissions: ['*'] }, '"*" is not a permission'],
    [{ permissions: ['constructor'] }, '"constructor" is not a permission'],
    [{ permissions: [] }, 'name at least one'],
    [{ permissions: [], preset: 'API' }, 'send one of them'],
    [{ scope: 'API', preset: 'API' }, 'send one of them'],
  ])('with %j is refused: %s', (asked, sentence) => {
    expect(() => grantOf(asked)).toThrow(expect.objectContaining({ code: 'bad_request' }))
    expect(() => grantOf(asked)).toThrow(sentence)
  })
})

describe('a key hands on no more than it holds', () => {
  const missing = (asked: readonly Granted[], has: readonly Granted[], operator = false) => {
    const caller: Caller = { accountId: 'a', nickname: 'alice', keyId: 'k', permissions: held(has, { operator }) }
    return beyond(asked, caller, has)
  }

  test.each(Object.entries(presets))('%s: what it holds itself, yes', (_name, granted) => {
    expect(missing(granted, granted)).toEqual([])
  })

  test('what it does not hold is named', () => {
    expect(missing(['apps:call', 'apps:read', 'kv:read'], ['keys:write', 'apps:read'])).toEqual([
      'apps:call',
      'kv:read',
    ])
  })

  test('everything is more than the list of all that there is', () => {
    expect(missing(['*'], permissions, true)).toEqual(['*'])
  })

  test('an ADMIN key hands on accounts only where it is the first account', () => {
    expect(missing(['accounts:write'], ['*'])).toEqual(['accounts:write'])
    expect(missing(['accounts:write'], ['*'], true)).toEqual([])
  })
})

test('only a key for everything is listed as ADMIN, and only one like API as API', () => {
  const scopes = Object.entries(presets).map(([name, granted]) => [name, scopeOf(granted)])
  expect(Object.fromEntries(scopes.filter(([, scope]) => scope !== undefined))).toEqual({ ADMIN: 'ADMIN', API: 'API' })
  expect(scopeOf(permissions)).toBeUndefined()
  expect(scopeOf(presets.API.toReversed())).toBe('API')
  expect(scopeOf([])).toBeUndefined()
})
