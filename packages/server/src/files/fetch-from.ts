import { request, type Agent } from 'undici'
import { CarrickError } from '../domain/errors.ts'
import { publicOr } from '../domain/public-address.ts'
import { NotReachable, reach } from '../kit/reach.ts'
import type { Resolve } from '../kit/resolve.ts'
import type { Bytes } from './staging.ts'

export interface FetchOptions {
  /** Ranges that may be fetched from although they are not public (CARRICK_FETCH_ALLOW). */
  readonly allow: readonly string[]
  readonly timeoutMs: number
  readonly resolve?: Resolve
}

/** Fetches what a client named, and gives its content to `use` as it comes. */
export type Fetch = <Result>(
  url: string,
  how: { readonly limit: number; readonly signal: AbortSignal },
  use: (content: Bytes) => Promise<Result>,
) => Promise<Result>

const mostRedirects = 5

/**
 * Goes to an address that a tenant chose, by the rule of `kit/reach.ts`; a redirect is checked like the first address.
 * Throws `bad_request` for what may not be fetched, `fetch_failed` for what does not come.
 */
export function createFetch({ allow, timeoutMs, resolve }: FetchOptions): Fetch {
  const options = { mayReach: publicOr(allow), headersTimeoutMs: timeoutMs, ...(resolve && { resolve }) }
  const wayTo = (url: URL, signal: AbortSignal): Promise<Agent & AsyncDisposable> =>
    reach(url, options, signal).catch((error: unknown) => notReached(url, error))

  return async (url, { limit, signal }, use) => {
    const until = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
    let next = checkedUrl(url)
    for (let hop = 0; hop <= mostRedirects; hop += 1) {
      await using agent = await wayTo(next, until)
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

function notReached({ hostname }: URL, error: unknown): never {
  if (!(error instanceof NotReachable)) unreachable(hostname, error)
  const message = `${hostname} is not fetched: it is, or leads to, an address that is not public. The operator can allow it (CARRICK_FETCH_ALLOW)`
  throw new CarrickError('bad_request', message, { cause: error })
}

function unreachable(host: string, cause: unknown): never {
  const why = cause instanceof Error ? cause.message : String(cause)
  throw new CarrickError('fetch_failed', `${host} could not be fetched: ${why}`, { cause })
}
