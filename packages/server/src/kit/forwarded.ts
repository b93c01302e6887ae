import type { IncomingHttpHeaders } from 'node:http'
import parseForwarded from 'forwarded-parse'
import type { Networks } from './networks.ts'

/** How a request looked to the first proxy that is trusted, as far as the proxies tell. */
export interface Forwarded {
  readonly secure?: boolean
  /** Host, and port unless it is the scheme's own. */
  readonly authority?: string
}

export interface Arrived {
  /** The address at the other end of the connection. */
  readonly peer: string | undefined
  readonly headers: IncomingHttpHeaders
}

/**
 * What proxies say about a request: X-Forwarded-Proto, -Host, -Port and -For, or else Forwarded (RFC 7239). Only the part
 * that trusted ones added counts: a client writes what it likes to the left of it. Nothing from a peer that is not trusted.
 */
export function forwardedBy({ peer, headers }: Arrived, isTrusted: Networks): Forwarded {
  if (peer === undefined || !isTrusted(peer)) return {}
  const custom = headers['x-forwarded-proto'] ?? headers['x-forwarded-host']
  return custom === undefined ? byStandard(headers, isTrusted) : byCustom(headers, isTrusted)
}

function byCustom(headers: IncomingHttpHeaders, isTrusted: Networks): Forwarded {
  const trusted = trustedHops(partsOf(headers['x-forwarded-for']), isTrusted)
  const said = (name: string) => addedBy(partsOf(headers[name]), trusted)
  return spoken(said('x-forwarded-proto'), said('x-forwarded-host'), said('x-forwarded-port'))
}

function byStandard({ forwarded }: IncomingHttpHeaders, isTrusted: Networks): Forwarded {
  const elements = elementsOf(forwarded)
  const addresses = elements.map(({ for: node = '' }) =>
    node.replace(/^\[(.*)\](:\d+)?$/, '$1').replace(/^([\d.]+):\d+$/, '$1'),
  )
  const element = addedBy(elements, trustedHops(addresses, isTrusted))
  return spoken(element?.['proto'], element?.['host'], undefined)
}

/** How many proxies are trusted, counted from us: the peer, and everyone that a trusted one names as its own peer. */
function trustedHops(addresses: readonly string[], isTrusted: Networks): number {
  const stranger = addresses.findLastIndex((address) => !isTrusted(address))
  return addresses.length - stranger
}

/** What the outermost trusted proxy added. One that sets a header instead of adding to it leaves a single part. */
function addedBy<T>(parts: readonly T[], trusted: number): T | undefined {
  return parts[Math.max(0, parts.length - trusted)]
}

function spoken(proto: string | undefined, host: string | undefined, port: string | undefined): Forwarded {
  const scheme = proto?.toLowerCase()
  const secure =
    scheme === 'https' || scheme === 'wss' ? true : scheme === 'http' || scheme === 'ws' ? false : undefined
  const authority = host !== undefined && /^[\w.:[\]-]+$/.test(host) ? withPort(host, port, secure) : undefined
  return { ...(secure === undefined ? {} : { secure }), ...(authority === undefined ? {} : { authority }) }
}

function withPort(host: string, port: string | undefined, secure: boolean | undefined): string {
  const hasPort = /:\d+$/.test(host)
  if (hasPort || port === undefined || !/^\d{1,5}$/.test(port) || port === (secure === false ? '80' : '443'))
    return host
  return `${host}:${port}`
}

function partsOf(value: string | readonly string[] | undefined): readonly string[] {
  return String(value ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}

function elementsOf(value: string | undefined): readonly Record<string, string>[] {
  try {
    return value === undefined ? [] : parseForwarded(value)
  } catch {
    return [] // what does not follow RFC 7239 says nothing
  }
}
