import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'
import { TLSSocket } from 'node:tls'

/** Whether a request came over TLS: then the addresses in its answer begin with https and wss. */
export function isSecure(request: IncomingMessage | Http2ServerRequest): boolean {
  return request.socket instanceof TLSSocket
}
