import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { held, isGranted, isPermission, mayCall, permissions, presets, type Caller } from './permissions.ts'

type Preset = keyof typeof presets

const callerWith = (preset: Preset, operator = false): Caller => ({
  accountId: 'account',
  nickname: 'alice',
  keyId: 'key',
  permissions: held(presets[preset], { operator }),
})
const names = Object.keys(presets) as Preset[]
const looking = permissions.filter((permission) => permission.endsWith(':read'))
const aboutOthers = permissions.filter((permission) => permission.startsWith('accounts:'))

test("the first account's ADMIN key may do everything", () => {
  expect(permissions.filter((permission) => !mayCall(callerWith('ADMIN', true), permission))).toEqual([])
})

test("another account's ADMIN key may do everything but look after accounts", () => {
  expect(permissions.filter((permission) => !mayCall(callerWith('ADMIN'), permission))).toEqual(aboutOthers)
})

test('a permission about other accounts is worth nothing in an account that is not the first', () => {
  expect(held(['accounts:write', 'apps:read'], { operator: false })).toEqual(new Set(['apps:read']))
  expect(held(['accounts:write', 'apps:read'], { operator: true })).toEqual(new Set(['accounts:write', 'apps:read']))
})

test.each(['READONLY', 'BILLING'] as const)('a %s key only looks', (preset) => {
  expect([...callerWith(preset).permissions].filter((permission) => !looking.includes(permission))).toEqual([])
})

test('an API key calls apps and reads, and changes nothing', () => {
  const allowed = [...callerWith('API').permissions]
  expect(allowed).toContain('apps:call')
  expect(allowed.filter((permission) => permission.endsWith(':write'))).toEqual([])
})

test('a DEPLOY key deploys and does not call', () => {
  expect(mayCall(callerWith('DEPLOY'), 'apps:write')).toBe(true)
  expect(mayCall(callerWith('DEPLOY'), 'apps:call')).toBe(false)
})

test("a runner's key cannot deploy, stop runners or read logs", () => {
  const caller = callerWith('RUNNER')
  expect(mayCall(caller, 'apps:call')).toBe(true)
  expect((['apps:write', 'runners:write', 'logs:read'] as const).some((access) => mayCall(caller, access))).toBe(false)
})

describe.each(names.filter((name) => name !== 'ADMIN'))('a %s key', (preset) => {
  test('makes no keys and no accounts, on any account', () => {
    const allowed = [...callerWith(preset, true).permissions]
    expect(allowed.filter((permission) => /^(keys|accounts):/.test(permission))).toEqual([])
  })

  test('may ask whose it is', () => {
    expect(mayCall(callerWith(preset), 'account:read')).toBe(true)
  })
})

test('without a key only what is for anyone is open', () => {
  expect(mayCall(undefined, 'anyone')).toBe(true)
  expect(permissions.some((permission) => mayCall(undefined, permission))).toBe(false)
})

test('names that are no permissions are told apart', () => {
  expect(permissions.every(isPermission)).toBe(true)
  expect([undefined, '', 'toString', 'apps:*', '*', 7].some(isPermission)).toBe(false)
  expect(isGranted('*')).toBe(true)
})

test('docs/reference/keys.md has every permission in its table', async () => {
  const page = await readFile(new URL('../../../../docs/reference/keys.md', import.meta.url), 'utf8')
  const table = page.slice(page.indexOf('| Permission '), page.indexOf('are other names of'))
  const named = Array.from(table.matchAll(/`([a-z]+:[a-z]+)`/g), ([, name]) => name)
  expect(named.filter((name) => isPermission(name)).toSorted()).toEqual([...permissions].toSorted())
})
