import { expect, test } from 'vitest'
import { networksOf } from './networks.ts'

const isOurs = networksOf(['10.0.0.0/8', '192.0.2.7', '2001:db8::/32', '::1'])

test.each(['10.200.3.4', '::ffff:10.1.1.1', '192.0.2.7', '2001:db8:1::5', '::1'])('%s is in them', (address) => {
  expect(isOurs(address)).toBe(true)
})

test.each([
  '11.0.0.1',
  '192.0.2.8',
  '::ffff:11.1.1.1',
  '2001:db9::1',
  '::2',
  '',
  'unknown',
  'localhost',
  '10.0.0.1:80',
])('%s is not', (address) => expect(isOurs(address)).toBe(false))

test('nothing is in no network', () => expect(networksOf([])('127.0.0.1')).toBe(false))

test.each(['10.0.0.0/33', 'localhost', '10.1', '', '10.0.0.1-10.0.0.9'])(
  '%j is neither address nor network',
  (text) => {
    expect(() => networksOf([text])).toThrow(`"${text}" is not an address or a network`)
  },
)
