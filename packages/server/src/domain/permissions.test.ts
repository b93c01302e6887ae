import { expect, test } from 'vitest'
import { isPermission, mayCall, permissions, presets, type Caller } from './permissions.ts'

const callerWith = (...held: (typeof permissions)[number][]): Caller => ({
  accountId: 'account',
  nickname: 'alice',
  keyId: 'key',
  permissions: new Set(held),
})

test('an ADMIN key may do everything', () => {
  expect(permissions.every((permission) => mayCall(callerWith(...presets.ADMIN), permission))).toBe(true)
})

test('an API key calls apps and reads, and changes nothing', () => {
  const allowed = permissions.filter((permission) => mayCall(callerWith(...presets.API), permission))
  expect(allowed).toContain('apps:call')
  expect(allowed.filter((permission) => permission.endsWith(':write'))).toEqual([])
})

test("a runner's key cannot deploy, stop runners or read logs", () => {
  const caller = callerWith(...presets.RUNNER)
  expect(mayCall(caller, 'apps:call')).toBe(true)
  expect((['apps:write', 'runners:write', 'logs:read'] as const).some((access) => mayCall(caller, access))).toBe(false)
})

test('without a key only what is for anyone is open', () => {
  expect(mayCall(undefined, 'anyone')).toBe(true)
  expect(permissions.some((permission) => mayCall(undefined, permission))).toBe(false)
})

test('names that are no permissions are told apart', () => {
  expect(permissions.every(isPermission)).toBe(true)
  expect([undefined, '', 'toString', 'apps:*', 7].some(isPermission)).toBe(false)
})
