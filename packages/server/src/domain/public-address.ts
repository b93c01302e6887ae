import ipaddr from 'ipaddr.js'
import { networksOf } from '../kit/networks.ts'

/**
 * Whether an address, as a resolver tells it, is one of the public internet. An IPv4 address in IPv6 form counts as what it
 * is; what a translator or a tunnel would make another address of is not public.
 */
export function isPublicAddress(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.process(address).range() === 'unicast'
}

/** Which addresses the server goes to for a tenant: those of the public internet, and these ranges of the operator's. */
export function publicOr(allow: readonly string[]): (address: string) => boolean {
  const allowed = networksOf(allow)
  return (address) => isPublicAddress(address) || allowed(address)
}
