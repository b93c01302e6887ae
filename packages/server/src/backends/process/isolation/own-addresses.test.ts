import { networkInterfaces } from 'node:os'
import { expect, test } from 'vitest'
import { ownAddresses } from './own-addresses.ts'

const tables: Record<string, string> = {
  '/proc/net/fib_trie': `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.0
           /8 host LOCAL
        |-- 127.0.0.1
           /32 host LOCAL
     +-- 172.17.0.0/16 2 0 2
        |-- 172.17.0.0
           /16 link UNICAST
        |-- 172.17.0.1
           /32 host LOCAL
        |-- 172.17.255.255
           /32 link BROADCAST
`,
  '/proc/net/if_inet6': `00000000000000000000000000000001 01 80 10 80       lo
fe800000000000004c2a11fffe000001 03 40 20 80    docker0
`,
}

test("a bridge that nobody is at has addresses of the machine's too; loopback's are not among them", () => {
  const own = ownAddresses((file) => tables[file] ?? '')
  expect(own).toContain('172.17.0.1')
  expect(own).toContain('fe80:0000:0000:0000:4c2a:11ff:fe00:0001')
  for (const not of ['127.0.0.1', '127.0.0.0', '172.17.0.0', '172.17.255.255', '0.0.0.0'])
    expect(own).not.toContain(not)
})

test('where the tables cannot be read, it is what Node knows', () => {
  const known = Object.values(networkInterfaces()).flatMap((all = []) => all.filter(({ internal }) => !internal))
  expect(ownAddresses(() => '').toSorted()).toEqual([...new Set(known.map(({ address }) => address))].toSorted())
})
