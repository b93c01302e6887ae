import { expect, test } from 'vitest'
import { baseUrl, publicUrl } from './addresses.ts'

const names = { hosts: ['localhost', '127.0.0.1', '::1', 'box.example'], port: 8700 }
const told = (authority: string | undefined, secure = true) => baseUrl({ secure, authority }, names)

test('the caller is answered with the name and port that it used', () => {
  expect(told('localhost:9000')).toBe('https://localhost:9000')
  expect(told('box.example')).toBe('https://box.example')
  expect(told('[::1]:8700')).toBe('https://[::1]:8700')
  expect(told('127.0.0.1:8700', false)).toBe('http://127.0.0.1:8700')
})

test('a name that is not ours is never repeated', () => {
  for (const authority of [
    undefined,
    '',
    'evil.example',
    'localhost@evil.example',
    'localhost:1/x',
    'a b',
    'localhost#',
  ]) {
    expect(told(authority)).toBe('https://localhost:8700')
  }
})

test('an address of version 6 as the first name is written in brackets', () => {
  expect(baseUrl({ secure: false, authority: undefined }, { hosts: ['::1'], port: 1 })).toBe('http://[::1]:1')
})

test('what a runner hands on begins with the first name, whatever the runner reached us by', () => {
  const handedOn = (authority: string, secure = true) => publicUrl({ secure, authority }, names, 'localhost:40000')
  expect(handedOn('localhost:40000')).toBe('https://localhost:8700')
  expect(handedOn('localhost:40000', false)).toBe('https://localhost:8700')
  expect(handedOn('box.example:8700')).toBe('https://box.example:8700')
  expect(handedOn('127.0.0.1:8700', false)).toBe('http://127.0.0.1:8700')
})
