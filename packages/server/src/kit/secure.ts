import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'
import { TLSSocket } from 'node:tls'
import { forwardedBy } from './forwarded.ts'
import type { Networks } from './networks.ts'

type Asked = IncomingMessage | Http2ServerRequest

/** What a trusted proxy said of requests that it passed on. */
const forwarded = new WeakMap<Asked, boolean>()

/** Whether a request came over TLS: then the addresses in its answer begin with https and wss. */
export function isSecure(request: Asked): boolean {
  return forwarded.get(request) ?? request.socket instanceof TLSSocket
}

/** The host and port that a request names. */
export function authorityOf(request: Asked): string | undefined {
  return 'authority' in request ? request.authority : request.headers.host
}

/** Makes a request that came through a trusted proxy what it was to the proxy, for everybody who looks at it from now on. */
export function unproxied(request: Asked, isTrusted: Networks): void {
  const { secure, authority } = forwardedBy({ peer: request.socket.remoteAddress, headers: request.headers }, isTrusted)
  if (secure !== undefined) forwarded.set(request, secure)
  if (authority === undefined) return
  if ('authority' in request) request.headers[':authority'] = authority
  else request.headers.host = authority
}
