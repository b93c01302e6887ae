import { expect, test } from 'vitest'
import { parseImageName, registryHost } from '../../domain/image-reference.ts'
import { credentialsFor } from './registries.ts'

const digest = `sha256:${'a'.repeat(64)}`

test.each([
  ['python:3.11-slim', { host: 'docker.io', repository: 'docker.io/library/python', tag: '3.11-slim' }],
  ['owner/name', { host: 'docker.io', repository: 'docker.io/owner/name' }],
  ['ghcr.io/owner/name:v1', { host: 'ghcr.io', repository: 'ghcr.io/owner/name', tag: 'v1' }],
  ['localhost/name', { host: 'localhost', repository: 'localhost/name' }],
  ['127.0.0.1:5000/a/b:t', { host: '127.0.0.1:5000', repository: '127.0.0.1:5000/a/b', tag: 't' }],
  [`host.test/a@${digest}`, { host: 'host.test', repository: 'host.test/a', digest }],
  [`host.test/a:t@${digest}`, { host: 'host.test', repository: 'host.test/a', tag: 't', digest }],
])('%s is taken apart as engines do', (name, parts) => {
  expect(parseImageName(name)).toEqual(parts)
})

test.each([
  '',
  'UPPER',
  'a b',
  '-a',
  'a/../b',
  'a:',
  'a@sha256:12',
  'a'.repeat(2_000),
  'a\n',
  'f'.repeat(64),
  '/a',
  'a//b',
])('%j is not the name of an image', (name) => {
  expect(parseImageName(name)).toBeUndefined()
})

test('the Hub has many names', () => {
  for (const name of ['docker.io', 'https://index.docker.io/v1/', 'registry-1.docker.io']) {
    expect(registryHost(name)).toBe('docker.io')
  }
  expect(registryHost('GHCR.io')).toBe('ghcr.io')
})

test('credentials go to the host that they are for and to no other', () => {
  const ann = { username: 'ann', password: 'x' }
  expect(credentialsFor('registry-1.docker.io', { 'https://index.docker.io/v1/': ann })).toBe(ann)
  expect(credentialsFor('evil.test', { 'ghcr.io': ann })).toBeUndefined()
  expect(credentialsFor('ghcr.io.evil.test', { 'ghcr.io': ann })).toBeUndefined()
  expect(credentialsFor('ghcr.io:444', { 'ghcr.io': ann })).toBeUndefined()
})
