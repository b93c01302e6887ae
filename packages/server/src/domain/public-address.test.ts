import { expect, test } from 'vitest'
import { isAllowedAddress, isRangeList, rangesOf } from './public-address.ts'

test.each(['93.184.216.34', '2606:2800:220:1::1'])('%s is public', (address) => {
  expect(isAllowedAddress(address)).toBe(true)
})

test.each([
  '127.0.0.1',
  '127.9.9.9',
  '10.1.2.3',
  '172.16.0.1',
  '192.168.1.1',
  '169.254.169.254', // what clouds tell their machines
  '100.64.0.1',
  '0.0.0.0',
  '224.0.0.1',
  '255.255.255.255',
  '::1',
  '::',
  'fe80::1',
  'fd00::1',
  'ff02::1',
  '::ffff:127.0.0.1',
  '::ffff:a00:1',
  '64:ff9b::7f00:1', // a translator would make 127.0.0.1 of it
  '2002:7f00:1::',
  'localhost',
  '',
])('%s is not', (address) => {
  expect(isAllowedAddress(address)).toBe(false)
})

test('a range that the operator allowed is, in any clothes, and the next address is not', () => {
  const allowed = rangesOf('10.0.0.0/8, fd00::/64')
  expect(isAllowedAddress('10.200.0.1', allowed)).toBe(true)
  expect(isAllowedAddress('::ffff:10.200.0.1', allowed)).toBe(true)
  expect(isAllowedAddress('fd00::5', allowed)).toBe(true)
  expect(isAllowedAddress('11.0.0.1', rangesOf('11.0.0.0/32'))).toBe(true) // public anyway
  expect(isAllowedAddress('192.168.0.1', allowed)).toBe(false)
})

test('a list of ranges is checked at start', () => {
  expect(isRangeList('')).toBe(true)
  expect(isRangeList('10.0.0.0/8,::1/128')).toBe(true)
  expect(isRangeList('everything')).toBe(false)
})
