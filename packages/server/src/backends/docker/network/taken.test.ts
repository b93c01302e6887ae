import { expect, test } from 'vitest'
import { addressesIn, routesIn, routesOf } from './taken.ts'

const table = [
  'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT',
  'tap0\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\t0\t0\t0',
  'tap0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0',
  '',
].join('\n')

test("the kernel's table tells which networks there are, and through what all others are reached", () => {
  expect(routesOf(table)).toEqual([{ gateway: '10.0.2.2' }, { network: '10.0.2.0/24' }])
  expect(routesIn(table)).toEqual(['10.0.2.0/24'])
})

test('its tree tells the own addresses, each once, and without loopback', () => {
  const trie = `Main:
  +-- 0.0.0.0/0 3 0 5
           |-- 10.88.0.0
              /16 link UNICAST
              |-- 10.88.0.1
                 /32 host LOCAL
              |-- 10.88.255.255
                 /32 link BROADCAST
           |-- 127.0.0.1
              /32 host LOCAL
Local:
              |-- 10.88.0.1
                 /32 host LOCAL
`
  expect(addressesIn(trie)).toEqual(['10.88.0.1'])
})
