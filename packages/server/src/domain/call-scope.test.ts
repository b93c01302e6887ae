import { expect, test } from 'vitest'
import { isInScope } from './call-scope.ts'

test.each([
  [['echo'], 'ann/echo', true],
  [['echo'], 'ann/echo/realtime', true],
  [['echo'], 'bob/echo/realtime', true],
  [['echo'], 'echo/other', false],
  [['echo'], 'ann/echo--staging', false],
  [['ech'], 'ann/echo', false],
  [['flow'], 'workflows/ann/flow', true],
  [['ann'], 'workflows/ann/flow', false],
  [['workflows/ann/flow'], 'workflows/ann/flow', true],
  [['ann/echo'], 'ann/echo/realtime', true],
  [['/ann/echo/'], 'ann/echo', true],
  [['ann/echo'], 'ann/echoes', false],
  [['ann/echo'], 'bob/echo', false],
  [['ann/echo/realtime'], 'ann/echo/realtime', true],
  [['ann/echo/realtime'], 'ann/echo/realtime/deep', true],
  [['ann/echo/realtime'], 'ann/echo/real', false],
  [['ann/echo/realtime'], 'ann/echo', false],
  [['ann/echo/realtime'], 'ann/echo/realtime/../admin', false],
  [['ann/echo/realtime'], 'ann/echo/realtime/%2E%2e/admin', false],
  [['ann/echo/realtime'], 'ann/echo/realtime/..%2fadmin', false],
  [['ann/echo/realtime'], 'ann/echo/realtime/..\\admin', false],
  [['other', 'ann/echo'], 'ann/echo', true],
  [[''], 'ann/echo', false],
  [['/'], 'ann/echo', false],
  [[], 'ann/echo', false],
])('a token for %j is for %s: %s', (apps, endpoint, is) => {
  expect(isInScope(apps, endpoint)).toBe(is)
})
