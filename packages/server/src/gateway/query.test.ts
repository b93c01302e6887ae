import { expect, test } from 'vitest'
import { submitQuery, withoutToken, wantsLogs } from './query.ts'

test.each([
  ['/go', { forApp: '/go' }],
  ['/go?x=1&y=%20', { forApp: '/go?x=1&y=%20' }],
  ['/go?fal_max_queue_length=5', { forApp: '/go', maxQueueLength: 5 }],
  ['/go?a&fal_max_queue_length=0&b=c%26d', { forApp: '/go?a&b=c%26d', maxQueueLength: 0 }],
])('the platform takes its own words out of %s', (path, expected) => expect(submitQuery(path)).toEqual(expected))

test.each(['/?fal_max_queue_length=many', '/?fal_max_queue_length=-1', '/?fal_max_queue_length='])(
  '%s is refused',
  (path) => {
    expect(() => submitQuery(path)).toThrow(/whole number/)
  },
)

test('a webhook is for the platform, and the app does not see it', () => {
  expect(submitQuery('/?a=1&fal_webhook=https%3A%2F%2Fexample.com%2F%3Fx%3D1&b=2')).toEqual({
    forApp: '/?a=1&b=2',
    webhook: 'https://example.com/?x=1',
  })
})

test('every client has a word of its own for logs', () => {
  const on = ['1', 'true', 'True', 'yes'].map((word) => wantsLogs(new URLSearchParams({ logs: word })))
  const off = ['0', 'false', '', 'no'].map((word) => wantsLogs(new URLSearchParams({ logs: word })))
  expect([...on, ...off, wantsLogs(new URLSearchParams())]).toEqual([
    true,
    true,
    true,
    true,
    false,
    false,
    false,
    false,
    false,
  ])
})

test.each([
  ['/go', { url: '/go' }],
  ['/go?fal_jwt_token=abc', { url: '/go', token: 'abc' }],
  ['/go?a=1&fal_jwt_token=a%2Bc&b=c%26d', { url: '/go?a=1&b=c%26d', token: 'a+c' }],
  ['/go?fal_jwt_token=a&fal_jwt_token=b', { url: '/go', token: 'a' }],
  ['/go?fal_jwt_token=', { url: '/go', token: '' }],
  ['/fal_jwt_token=a', { url: '/fal_jwt_token=a' }],
  ['/go?my_fal_jwt_token=a', { url: '/go?my_fal_jwt_token=a' }],
])('a token is taken out of %s', (url, expected) => expect(withoutToken(url)).toEqual(expected))
