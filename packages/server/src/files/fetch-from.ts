import { lookup } from 'node:dns/promises'
import type { LookupFunction } from 'node:net'
import { Agent, request } from 'undici'
import { CarrickError } from '../domain/errors.ts'
import { isPublicAddress } from '../domain/public-address.ts'
import { networksOf } from '../kit/networks.ts'
import type { Bytes } from './staging.ts'

export interface FetchOptions {
  /** Ranges that may be fetched from although they are not public (CARRICK_FETCH_ALLOW). */
  readonly allow: readonly string[]
  readonly timeoutMs: number
  /** The addresses of a host. */
  readonly resolve?: (host: string) => Promise<readonly string[]>
}

/** Fetches what a client named, and gives its content to `use` as it comes. */
export type Fetch = <Result>(
  url: string,
  how: { readonly limit: number; readonly signal: AbortSignal },
  use: (content: Bytes) => Promise<Result>,
) => Promise<Result>

const mostRedirects = 5

/**
 * The one place where the server goes to an address that a tenant chose (docs/decisions/0013). A name is resolved once,
 * every address must be allowed, and the connection goes to one of those; a redirect is checked like the first address.
 * Throws `bad_request` for what may not be fetched, `fetch_failed` for what does not come.
 */
export function createFetch({ allow, timeoutMs, resolve = addressesOf }: FetchOptions): Fetch {
  const allowed = networksOf(allow)
  const mayReach = (address: string) => isPublicAddress(address) || allowed(address)

  async function checkedAddresses({ hostname }: URL): Promise<readonly string[]> {
    const host = hostname.replace(/^\[|\]$/g, '')
    const addresses = /^[\d.]+$|:/.test(host)
      ? [host]
      : await resolve(host).catch((error: unknown) => unreachable(host, error))
    if (addresses.length > 0 && addresses.every(mayReach)) return addresses
    throw new CarrickError(
      'bad_request',
      `${host} is not fetched: it is, or leads to, an address that is not public. The operator can allow it (CARRICK_FETCH_ALLOW)`,
    )
  }

  return async (url, { limit, signal }, use) => {
    const until = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
    let next = checkedUrl(url)
    for (let hop = 0; hop <= mostRedirects; hop += 1) {
      await using agent = agentFor(await checkedAddresses(next), timeoutMs)
      const answer = await request(next, {
        dispatcher: agent,
        signal: until,
        headers: { 'accept-encoding': 'identity', 'user-agent': 'carrick' },
      }).catch((error: unknown) => unreachable(next.host, error))
      const location = redirect(answer)
      if (location === undefined) {
        requireFile(answer, next, limit)
        return use(contentOf(answer.body, next))
      }
      await answer.body.dump({ limit: 64 * 1024 })
      next = checkedUrl(location, next)
    }
    throw new CarrickError('fetch_failed', `${next.host} redirects more than ${mostRedirects} times`)
  }
}

interface Answer {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

function redirect({ statusCode, headers }: Answer): string | undefined {
  const { location } = headers
  return [301, 302, 303, 307, 308].includes(statusCode) && typeof location === 'string' ? location : undefined
}

function requireFile({ statusCode, headers }: Answer, { host }: URL, limit: number): void {
  if (statusCode !== 200) throw new CarrickError('fetch_failed', `${host} answered with status ${statusCode}`)
  if (Number(headers['content-length'] ?? 0) > limit)
    throw new CarrickError('body_too_large', `The file at ${host} is larger than ${limit} bytes (CARRICK_FILE_LIMIT)`)
}

async function* contentOf(body: Bytes, { host }: URL): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } catch (error) {
    unreachable(host, error)
  }
}

function checkedUrl(text: string, base?: URL): URL {
  const url = URL.parse(text, base?.href)
  if (url === null || !['http:', 'https:'].includes(url.protocol) || url.username !== '' || url.password !== '')
    throw new CarrickError('bad_request', 'Only http and https addresses without a user name are fetched')
  return url
}

/** Connects to these addresses alone, whatever the name means by then. */
function agentFor(addresses: readonly string[], timeoutMs: number): Agent & AsyncDisposable {
  const known = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
  const fixed: LookupFunction = (_host, { all }, done) =>
    all ? done(null, known) : done(null, known[0]?.address ?? '', known[0]?.family)
  const agent = new Agent({
    connect: { lookup: fixed, timeout: 10_000 },
    headersTimeout: timeoutMs,
    bodyTimeout: 60_000,
  })
  return Object.assign(agent, { [Symbol.asyncDispose]: () => agent.destroy() })
}

async function addressesOf(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address)
}

function unreachable(host: string, cause: unknown): never {
  const why = cause instanceof Error ? cause.message : String(cause)
  throw new CarrickError('fetch_failed', `${host} could not be fetched: ${why}`, { cause })
}
