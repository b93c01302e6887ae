import ipaddr from 'ipaddr.js'

type Range = [ipaddr.IPv4 | ipaddr.IPv6, number]

/**
 * Whether the platform may connect to an address that a tenant chose: one of the public internet, or one in a range that
 * the operator allowed. An IPv4 address in IPv6 clothes counts as what it is; other wrappings are refused.
 */
export function isAllowedAddress(address: string, allowed: readonly Range[] = []): boolean {
  if (!ipaddr.isValid(address)) return false
  const plain = ipaddr.process(address)
  return plain.range() === 'unicast' || allowed.some((range) => plain.kind() === range[0].kind() && plain.match(range))
}

/** Ranges such as `10.0.0.0/8`, separated by commas. Throws when one is none. */
export function rangesOf(list: string): readonly Range[] {
  return list
    .split(',')
    .map((range) => range.trim())
    .filter((range) => range !== '')
    .map((range) => ipaddr.parseCIDR(range))
}

export function isRangeList(list: string): boolean {
  try {
    rangesOf(list)
    return true
  } catch {
    return false
  }
}
