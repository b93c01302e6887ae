import { describe, expect, test } from 'vitest'
import type { HeaderPairs } from '../domain/request.ts'
import type { Answered } from '../domain/retry.ts'
import { answered, endpointOf, forwardable, headersToCaller, headersToRunner } from './headers.ts'

describe('to the runner', () => {
  test.each<[name: string, value: string, passes: boolean]>([
    ['content-type', 'application/json', true],
    ['content-length', '3', true],
    ['accept', '*/*', true],
    ['cookie', 'a=b', true],
    ['x-anything', 'é', true],
    ['x-app-fal-upload-policy', '{}', true],
    ['x-app-fal-can-disable-filter', '1', true],
    ['x-fal-object-lifecycle-preference', '{}', true],
    ['x-fal-cdn-token', 'token', true],
    ['authorization', 'Key a:b', false],
    ['proxy-authorization', 'Basic x', false],
    ['host', 'localhost', false],
    ['expect', '100-continue', false],
    ['connection', 'keep-alive', false],
    ['keep-alive', 'timeout=5', false],
    ['transfer-encoding', 'chunked', false],
    ['te', 'trailers', false],
    ['upgrade', 'h2c', false],
    ['x-fal-request-timeout', '30', false],
    ['x-fal-no-retry', '1', false],
    ['x-fal-retry-config', '{}', false],
    ['x-fal-store-io', '0', false],
    ['x-fal-runner-hint', 'a', false],
    ['x-fal-queue-priority', 'low', false],
    ['x-fal-target-url', 'https://queue', false],
    ['x-fal-request-id', 'forged', false],
    ['x-fal-caller-user-id', 'forged', false],
  ])('%s: %s', (name, value, passes) => {
    expect(forwardable([[name, value]])).toEqual(passes ? [[name, value]] : [])
  })

  test('what the caller bound to its connection stays there', () => {
    const sent: HeaderPairs = [
      ['connection', 'close, X-Once'],
      ['x-once', '1'],
      ['x-more', '1'],
    ]
    expect(forwardable(sent)).toEqual([['x-more', '1']])
  })

  test('the platform says whose request it is', () => {
    const endpoint = endpointOf({ owner: 'ann', name: 'hello' }, '/a/b?x=1')
    expect(headersToRunner([['x-fal-endpoint', 'forged']], { requestId: 'r', endpoint, callerId: 'c' })).toEqual([
      ['x-fal-request-id', 'r'],
      ['x-fal-endpoint', 'ann/hello/a/b'],
      ['x-fal-caller-user-id', 'c'],
    ])
  })
})

describe('to the caller', () => {
  const back = (headers: HeaderPairs, status = 200) =>
    headersToCaller(headers, { status, requestId: 'r', runnerId: 'runner' }).slice(0, -3)

  test.each<[name: string, status: number, passes: boolean]>([
    ['content-type', 200, true],
    ['content-encoding', 200, true],
    ['location', 302, true],
    ['set-cookie', 200, true],
    ['x-fal-billable-units', 200, true],
    ['x-fal-runner-hints', 200, true],
    ['x-fal-cdn-token', 200, true],
    ['x-fal-needs-retry', 503, true],
    ['x-fal-needs-retry', 429, true],
    ['x-fal-needs-retry', 200, false],
    ['x-fal-needs-retry', 422, false],
    ['x-fal-stop-runner', 503, false],
    ['x-fal-runner-health-check', 200, false],
    ['x-fal-request-id', 200, false],
    ['x-fal-served-from', 200, false],
    ['transfer-encoding', 200, false],
    ['connection', 200, false],
  ])('%s on %i', (name, status, passes) => {
    expect(back([[name, 'value']], status)).toEqual(passes ? [[name, 'value']] : [])
  })

  test('every answer names its request and its runner, and is no page of this server, whatever the app says', () => {
    const lax = ['content-security-policy', "default-src *; script-src 'unsafe-inline'"] as const
    expect(headersToCaller([lax], { status: 200, requestId: 'r', runnerId: 'runner' })).toEqual([
      lax, // a browser obeys both
      ['content-security-policy', expect.stringMatching(/^sandbox (?!.*allow-same-origin)/)],
      ['x-fal-request-id', 'r'],
      ['x-fal-served-from', 'runner'],
    ])
  })
})

test.each<[name: string, value: string, asks: Partial<Answered>]>([
  ['x-fal-needs-retry', '1', { needsRetry: true }],
  ['x-fal-needs-retry', '0', { needsRetry: false }],
  ['x-fal-needs-retry', 'maybe', {}],
  ['x-fal-stop-runner', '1', { stopRunner: true }],
  ['x-fal-stop-runner', 'TRUE', { stopRunner: true }],
  ['x-fal-stop-runner', '0', { stopRunner: false }],
  ['x-fal-stop-runner', 'false', { stopRunner: false }],
  ['x-fal-stop-runner', '', {}],
  ['x-fal-runner-health-check', 'true', { checkHealth: true }],
  ['x-fal-runner-health-check', '0', { checkHealth: false }],
  ['x-fal-runner-hints', 'model-1, model-2,,', { hints: ['model-1', 'model-2'] }],
  ['x-fal-runner-hints', '', { hints: [] }],
  ['x-other', '1', {}],
])('an answer with %s: %s asks for %j', (name, value, asks) => {
  expect(answered(503, [[name, value]])).toEqual({ kind: 'answered', status: 503, ...asks })
})
