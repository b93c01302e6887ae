import { readFile } from 'node:fs/promises'
import { isIPv4 } from 'node:net'
import { networkInterfaces } from 'node:os'
import type Dockerode from 'dockerode'

/** What networks there are on this machine and in its engine, as CIDR: one of ours there would hide them. */
export async function takenNetworks(docker: Pick<Dockerode, 'listNetworks'>): Promise<readonly string[]> {
  const interfaces = Object.values(networkInterfaces()).flatMap((all = []) => all.flatMap(({ cidr }) => cidr ?? []))
  const engine = (await docker.listNetworks()).flatMap(({ IPAM }) => IPAM?.Config?.flatMap(subnetOf) ?? [])
  return [...interfaces, ...engine, ...routesIn(await readFile('/proc/net/route', 'utf8').catch(() => ''))]
}

const subnetOf = ({ Subnet }: { readonly Subnet?: string | undefined }) => Subnet ?? []

/** The kernel writes addresses and masks as numbers of the machine's byte order. */
export function routesIn(table: string): readonly string[] {
  return routesOf(table).flatMap(({ network }) => network ?? [])
}

interface Route {
  /** Absent for all that no other leads to. */
  readonly network?: string
  /** Absent where the network is at hand. */
  readonly gateway?: string
}

export function routesOf(table: string): readonly Route[] {
  return table
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, destination, gateway, , , , , mask] = line.split('\t')
      if (destination === undefined || gateway === undefined || mask === undefined) return []
      const bits = octets(mask).reduce((sum, octet) => sum + octet.toString(2).replaceAll('0', '').length, 0)
      const network = bits === 0 ? {} : { network: `${octets(destination).join('.')}/${bits}` }
      return [{ ...network, ...(Number.parseInt(gateway, 16) === 0 ? {} : { gateway: octets(gateway).join('.') }) }]
    })
}

const octets = (hex: string) => [3, 2, 1, 0].map((place) => Number.parseInt(hex.slice(place * 2, place * 2 + 2), 16))

/** IPv4 addresses of the machine but loopback's, of interfaces that are down too: those become its own without anybody's asking. */
export async function ownAddresses(): Promise<readonly string[]> {
  return addressesIn(await readFile('/proc/net/fib_trie', 'utf8').catch(() => ''))
}

export function addressesIn(trie: string): readonly string[] {
  const found = [...trie.matchAll(/\|-- ([\d.]+)\n\s+\/32 host LOCAL/g)].map(([, address = '']) => address)
  return [...new Set(found)].filter((address) => !address.startsWith('127.'))
}

const lists = ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf']

/** IPv4 addresses of the servers that the machine asks for names, without those on its loopback. */
export async function resolvers(): Promise<readonly string[]> {
  const texts = await Promise.all(lists.map((file) => readFile(file, 'utf8').catch(() => '')))
  const named = texts.flatMap((text) =>
    [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map(([, address = '']) => address),
  )
  return [...new Set(named)].filter((address) => isIPv4(address) && !address.startsWith('127.'))
}
