import type { LookupFunction } from 'node:net'
import { Agent } from 'undici'
import { createResolve, type Resolve } from './resolve.ts'

export interface ReachOptions {
  /** Whether an address, as a resolver tells it, may be connected to. */
  readonly mayReach: (address: string) => boolean
  /** Longest wait for the start of an answer. */
  readonly headersTimeoutMs: number
  readonly resolve?: Resolve
}

/** The host is, or leads to, an address that may not be connected to. */
export class NotReachable extends Error {
  override readonly name = 'NotReachable'
}

const usualResolve = createResolve()

/**
 * A way to the host of this URL and to nowhere else (docs/decisions/0013). A name is resolved once, every address of it
 * must be allowed, and connections go to those, whatever the name means by then. Follows no redirect. Throws
 * `NotReachable`, the resolver's own error, or the signal's reason.
 */
export async function reach(
  { hostname }: URL,
  { mayReach, headersTimeoutMs, resolve = usualResolve }: ReachOptions,
  signal: AbortSignal,
): Promise<Agent & AsyncDisposable> {
  const host = bare(hostname)
  const literal = literalAddress(host)
  const addresses = literal === undefined ? await unlessAborted(resolve(host, signal), signal) : [literal]
  if (addresses.length === 0 || !addresses.every(mayReach))
    throw new NotReachable(`${host} is, or leads to, an address that is not public`)
  return agentFor(addresses, headersTimeoutMs)
}

/** The address that a URL's host is itself; undefined where it is a name. URLs have made numbers of all kinds dotted. */
export function literalAddress(hostname: string): string | undefined {
  const host = bare(hostname)
  return /^[\d.]+$|:/.test(host) ? host : undefined
}

const bare = (hostname: string): string => hostname.replace(/^\[|\]$/g, '')

/** Connects to these addresses alone. */
function agentFor(addresses: readonly string[], headersTimeout: number): Agent & AsyncDisposable {
  const known = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
  const fixed: LookupFunction = (_host, { all }, done) =>
    all ? done(null, known) : done(null, known[0]?.address ?? '', known[0]?.family)
  const agent = new Agent({ connect: { lookup: fixed, timeout: 10_000 }, headersTimeout, bodyTimeout: 60_000 })
  return Object.assign(agent, { [Symbol.asyncDispose]: () => agent.destroy() })
}

/** A resolver takes no signal. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  const { promise, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal.reason as Error)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([work, promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
