import { describe, expect, test } from 'vitest'
import { formatKey, grpcCredentials, httpCredentials, parseKey } from './credentials.ts'

const key = { keyId: '0193-a', secret: 's3cret' }

describe('an Authorization header', () => {
  test.each([
    ['Key 0193-a:s3cret', key],
    ['key 0193-a:s3cret', key],
    ['Bearer 0193-a:s3cret', key],
    ['  Key   0193-a:s3cret ', key],
    ['Key 0193-a:s3:cret', { keyId: '0193-a', secret: 's3:cret' }],
    ['Bearer eyJhbGciOiJub25lIn0.e30.', undefined],
    ['Basic MDE5My1hOnMzY3JldA==', undefined],
    ['0193-a:s3cret', undefined],
    ['Key 0193-a', undefined],
    ['Key :s3cret', undefined],
    ['Key 0193-a:', undefined],
    ['Key 0193-a:s3 cret', undefined],
    ['Key', undefined],
    ['', undefined],
    [undefined, undefined],
    [`Key ${'x'.repeat(20_000)}:y`, undefined],
  ])('%j', (header, credentials) => {
    expect(httpCredentials(header)).toEqual(credentials)
  })
})

describe('gRPC metadata', () => {
  test.each([
    [{ 'auth-key-id': '0193-a', 'auth-key': 's3cret' }, key],
    [{ authorization: 'Key 0193-a:s3cret' }, key],
    [{ authorization: 'Bearer 0193-a:s3cret' }, key],
    [{ 'auth-key-id': '0193-a', 'auth-key': 's3cret', authorization: 'Bearer some.login.token' }, key],
    [{ 'auth-key-id': '0193-a' }, undefined],
    [{ 'auth-key': 's3cret' }, undefined],
    [{ authorization: 'Bearer some.login.token' }, undefined],
    [{}, undefined],
  ])('%j', (metadata, credentials) => {
    expect(grpcCredentials(new Headers(metadata as Record<string, string>))).toEqual(credentials)
  })
})

test('FAL_KEY is read as it is written', () => {
  expect(parseKey(formatKey(key))).toEqual(key)
})
