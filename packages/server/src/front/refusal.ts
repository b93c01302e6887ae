import { STATUS_CODES, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Rejection } from '../kit/rejections.ts'
import type { Flaw } from './flaws.ts'

interface Refusal {
  readonly status: number
  readonly detail: string
  readonly reason: Rejection
}

const refusals: Readonly<Record<string, Refusal>> = {
  HPE_HEADER_OVERFLOW: {
    status: 431,
    detail: 'The headers of this request are too large.',
    reason: 'headers_too_large',
  },
  TOO_MANY_HEADERS: { status: 431, detail: 'This request has too many headers.', reason: 'headers_too_large' },
  MANY_HOSTS: { status: 400, detail: 'This request has more than one Host.', reason: 'malformed' },
  NO_HOST: { status: 400, detail: 'This request has no Host.', reason: 'malformed' },
  OLD_VERSION: { status: 400, detail: 'This request is of HTTP/0.9; use HTTP/1.1.', reason: 'malformed' },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: {
    status: 413,
    detail: 'The chunk extensions of this request are too large.',
    reason: 'malformed',
  },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, detail: 'This request took too long to arrive.', reason: 'slow_headers' },
}
const malformed: Refusal = {
  status: 400,
  detail: 'This is not a well-formed HTTP/1.1 request.',
  reason: 'malformed',
}

/** Long enough for the answer to arrive before a reset could overtake it. */
const lingerMs = 1_000

/**
 * Answers what could not be read as a request, and closes. Says nothing where an answer has already begun. Tells why;
 * undefined where a connection has merely gone, or was told before.
 */
export function refuse(
  socket: Duplex,
  error: Error | { readonly code: string },
  answerBegun: boolean,
): Rejection | undefined {
  const code = 'code' in error ? error.code : ''
  if (socket.writableEnded) return undefined // told already; what still arrives only ends in the same error again
  const { status, detail, reason } = refusals[code] ?? malformed
  if (!socket.writable || answerBegun || code === 'ECONNRESET') {
    socket.destroy()
    return code === 'ECONNRESET' || code === 'EPIPE' ? undefined : reason
  }
  const body = JSON.stringify({ detail })
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
  socket.resume()
  const cut = setTimeout(() => socket.destroy(), lingerMs)
  socket.once('close', () => clearTimeout(cut))
  return reason
}

/** Answers a request that was read but has a flaw, and closes. Tells why. */
export function refuseRequest(response: ServerResponse, flaw: Flaw): Rejection {
  const { status, detail, reason } = refusals[flaw] ?? malformed
  response
    .writeHead(status, { connection: 'close', 'content-type': 'application/json' })
    .end(JSON.stringify({ detail }))
  return reason
}
