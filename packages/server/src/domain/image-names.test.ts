import { expect, test } from 'vitest'
import { isOnLoopback } from './image-names.ts'

test.each([
  ['localhost:5000/owner/name:tag', true],
  ['127.0.0.1:8700/owner/name', true],
  ['127.8.9.10/owner/name', true],
  ['[::1]:8700/owner/name', true],
  ['localhost.example/owner/name', false],
  ['127.0.0.1.example:80/owner/name', false],
  ['ghcr.io/localhost/name', false],
  ['localhost', false],
])('%s names a registry on loopback: %s', (reference, is) => {
  expect(isOnLoopback(reference)).toBe(is)
})
