import { expect, test } from 'vitest'
import { presets, type Caller } from '../domain/permissions.ts'
import { authorize } from './authorize.ts'

const reader: Caller = { accountId: 'a', nickname: 'alice', keyId: 'key-1', permissions: new Set(presets.API) }

test('a caller who holds the permission is let through', () => {
  expect(authorize(reader, 'apps:call')).toBe(reader)
})

test('what is for anyone takes no key', () => {
  expect(authorize(undefined, 'anyone')).toBeUndefined()
})

test('without a valid key the answer says how to send one', () => {
  expect(() => authorize(undefined, 'apps:read')).toThrow(expect.objectContaining({ code: 'unauthenticated' }))
  expect(() => authorize(undefined, 'apps:read')).toThrow('Authorization: Key')
})

test('a key that lacks the permission is told which one, in the words that stock clients look for', () => {
  expect(() => authorize(reader, 'apps:write')).toThrow(expect.objectContaining({ code: 'forbidden' }))
  expect(() => authorize(reader, 'apps:write')).toThrow(/Insufficient permissions.*"apps:write".*key-1/)
})
