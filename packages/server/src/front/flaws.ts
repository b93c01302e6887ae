import type { IncomingMessage } from 'node:http'

/** What Node's parser lets pass and we do not, by the code under which it is refused. */
export type Flaw = 'TOO_MANY_HEADERS' | 'MANY_HOSTS' | 'NO_HOST' | 'OLD_VERSION'

/** What is wrong with a request that was parsed; undefined when nothing is. It has one `Host` (RFC 9112 §3.2), or none in HTTP/1.0. */
export function flawIn(request: Parsed, mostHeaders: number): Flaw | undefined {
  const { rawHeaders, httpVersionMajor, httpVersionMinor } = request
  if (httpVersionMajor === 0) return 'OLD_VERSION'
  if (rawHeaders.length > 2 * mostHeaders) return 'TOO_MANY_HEADERS'
  let hosts = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1
  }
  if (hosts === 1) return undefined
  return hosts > 1 ? 'MANY_HOSTS' : httpVersionMinor === 0 ? undefined : 'NO_HOST'
}

type Parsed = Pick<IncomingMessage, 'rawHeaders' | 'httpVersionMajor' | 'httpVersionMinor'>
