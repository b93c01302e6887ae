import { createHash } from 'node:crypto'
import ipaddr from 'ipaddr.js'

/** A part of the pool that nothing else on the machine uses. */
interface Subnet {
  readonly subnet: string
  readonly gateway: string
}

/** As many addresses as a bridge has ports (1023), so that an account's runners are never short of them. */
const bits = 22
const size = 2 ** (32 - bits)

/**
 * Where an account's network can be, the likeliest place first: it is the same each time, as long as nobody else is there.
 * `taken` are networks as CIDR, of whatever is on the machine. Throws a sentence for a pool that is none.
 */
export function freeSubnets(pool: string, taken: readonly string[], seed: string): readonly Subnet[] {
  const { first, count } = rangeOf(pool)
  const others = taken.map((text) => ipaddr.parseCIDR(text)).filter(isIPv4)
  const start = createHash('sha256').update(seed).digest().readUInt32BE() % count
  return Array.from({ length: count }, (_, step) => first + ((start + step) % count) * size)
    .filter((base) => !others.some(([network, prefix]) => overlap(base, network, prefix)))
    .map((base) => ({ subnet: `${textOf(base)}/${bits}`, gateway: textOf(base + 1) }))
}

function rangeOf(pool: string): { readonly first: number; readonly count: number } {
  const network = ipaddr.IPv4.isValidCIDR(pool) ? ipaddr.IPv4.parseCIDR(pool) : undefined
  if (network === undefined || network[1] > bits || network[1] < 8)
    throw new Error(`CARRICK_CONTAINER_NETWORKS is "${pool}", which is no IPv4 network of /8 to /${bits}`)
  const width = 2 ** (32 - network[1])
  return { first: numberOf(network[0]) - (numberOf(network[0]) % width), count: width / size }
}

type IPv4Network = [ipaddr.IPv4, number]

const isIPv4 = (network: [ipaddr.IPv4 | ipaddr.IPv6, number]): network is IPv4Network => network[0].kind() === 'ipv4'

function overlap(base: number, network: ipaddr.IPv4, prefix: number): boolean {
  if (prefix === 0) return false // the way out leads everywhere
  const width = 2 ** (32 - prefix)
  const other = numberOf(network) - (numberOf(network) % width)
  return base < other + width && other < base + size
}

const numberOf = (address: ipaddr.IPv4) => address.octets.reduce((sum, octet) => sum * 256 + octet, 0)
const textOf = (number: number) => [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.')
