import { describe, expect, test } from 'vitest'
import { forwardedBy } from './forwarded.ts'
import { networksOf } from './networks.ts'

const isTrusted = networksOf(['10.0.0.0/8', '127.0.0.1'])
const told = (headers: Record<string, string>, peer: string | undefined = '127.0.0.1') =>
  forwardedBy({ peer, headers }, isTrusted)

const custom = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'fal.example.com', 'x-forwarded-for': '203.0.113.9' }
const standard = { forwarded: 'for=203.0.113.9;proto=https;host="fal.example.com:8443"' }

describe('a trusted proxy', () => {
  test.each([
    ['X-Forwarded-Proto and -Host', custom, { secure: true, authority: 'fal.example.com' }],
    ['X-Forwarded-Proto alone', { 'x-forwarded-proto': 'HTTPS' }, { secure: true }],
    ['X-Forwarded-Host alone', { 'x-forwarded-host': 'a.example:81' }, { authority: 'a.example:81' }],
    [
      'a port that is not the usual one',
      { ...custom, 'x-forwarded-port': '8443' },
      { secure: true, authority: 'fal.example.com:8443' },
    ],
    ['the usual port', { ...custom, 'x-forwarded-port': '443' }, { secure: true, authority: 'fal.example.com' }],
    ['plain http', { 'x-forwarded-proto': 'http' }, { secure: false }],
    ['a WebSocket', { 'x-forwarded-proto': 'wss' }, { secure: true }],
    ['Forwarded', standard, { secure: true, authority: 'fal.example.com:8443' }],
    [
      'both kinds: the first counts',
      { ...custom, forwarded: 'proto=http;host=evil.example' },
      { secure: true, authority: 'fal.example.com' },
    ],
    ['nothing', {}, {}],
    ['a scheme that is none', { 'x-forwarded-proto': 'gopher' }, {}],
    ['a host that is none', { 'x-forwarded-host': 'a b/c' }, {}],
    ['what RFC 7239 does not allow', { forwarded: 'for=;;;"' }, {}],
  ] as const)('is believed: %s', (_what, headers, seen) => expect(told(headers)).toEqual(seen))
})

test.each(['203.0.113.9', '::1', '', undefined])('a peer at %s is not believed', (peer) => {
  expect(forwardedBy({ peer, headers: { ...custom, ...standard } }, isTrusted)).toEqual({})
})

describe('what a client wrote itself', () => {
  test('does not count where the proxy adds to it', () => {
    const headers = {
      'x-forwarded-proto': 'http, https',
      'x-forwarded-host': 'evil.example, fal.example.com',
      'x-forwarded-for': '10.9.9.9, 203.0.113.9',
    }
    expect(told(headers)).toEqual({ secure: true, authority: 'fal.example.com' })
    expect(told({ forwarded: `proto=http;host=evil.example, ${standard.forwarded}` })).toMatchObject({ secure: true })
  })

  test('does not count behind two proxies either', () => {
    const chain = { 'x-forwarded-for': '198.51.100.1, 203.0.113.9, 10.0.0.2' }
    expect(told({ ...chain, 'x-forwarded-proto': 'http, https, http' })).toEqual({ secure: true })
    const elements =
      'for=198.51.100.1;host=evil.example, for=203.0.113.9;proto=https;host=a.example, for="10.0.0.2:4711";proto=http'
    expect(told({ forwarded: elements })).toEqual({ secure: true, authority: 'a.example' })
  })
})
