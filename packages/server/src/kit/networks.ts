import ipaddr from 'ipaddr.js'

/** Whether an address, as a socket tells it, is in one of the networks. */
export type Networks = (address: string) => boolean

/** From addresses and CIDR ranges. Throws a sentence for a text that is neither. An IPv4 address in IPv6 form is the IPv4 address. */
export function networksOf(texts: readonly string[]): Networks {
  const ranges = texts.map(rangeOf)
  if (ranges.length === 0) return () => false
  return (text) => {
    if (!ipaddr.isValid(text)) return false
    const address = ipaddr.process(text)
    return ranges.some(([network, bits]) => address.kind() === network.kind() && address.match(network, bits))
  }
}

function rangeOf(text: string): [ipaddr.IPv4 | ipaddr.IPv6, number] {
  if (ipaddr.isValidCIDR(text)) return ipaddr.parseCIDR(text)
  const isWhole = ipaddr.IPv6.isValid(text) || ipaddr.IPv4.isValidFourPartDecimal(text)
  if (!isWhole) throw new Error(`"${text}" is not an address or a network such as 10.0.0.0/8`)
  const address = ipaddr.process(text)
  return [address, address.kind() === 'ipv4' ? 32 : 128]
}
