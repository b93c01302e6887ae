import { expect, test } from 'vitest'
import { requestUrls } from './urls.ts'

const names = { hosts: ['gpu.example.com', 'localhost'], port: 8700 }
const statusUrl = (secure: boolean, authority: string) =>
  requestUrls({ secure, authority }, names, { owner: 'ann', name: 'hello' }, 'r1').status_url

test.each([
  [false, 'localhost:8700', 'http://localhost:8700/queue/ann/hello/requests/r1/status'],
  [true, 'localhost:9000', 'https://localhost:9000/queue/ann/hello/requests/r1/status'],
  [true, 'queue.localhost:8700', 'https://queue.localhost:8700/ann/hello/requests/r1/status'],
  [true, 'evil.example.net', 'https://gpu.example.com:8700/queue/ann/hello/requests/r1/status'],
  [false, 'queue.evil.example.net', 'http://gpu.example.com:8700/queue/ann/hello/requests/r1/status'],
])('secure %s, Host %s: %s', (secure, authority, expected) => expect(statusUrl(secure, authority)).toBe(expected))

test('the result has the bare address, and none has a query', () => {
  expect(requestUrls({ secure: true, authority: 'localhost' }, names, { owner: 'ann', name: 'hello' }, 'r1')).toEqual({
    response_url: 'https://localhost/queue/ann/hello/requests/r1',
    status_url: 'https://localhost/queue/ann/hello/requests/r1/status',
    cancel_url: 'https://localhost/queue/ann/hello/requests/r1/cancel',
  })
})
