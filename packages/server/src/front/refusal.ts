import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'

const refusals: Readonly<Record<string, { status: number; detail: string }>> = {
  HPE_HEADER_OVERFLOW: { status: 431, detail: 'The headers of this request are too large.' },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: { status: 413, detail: 'The chunk extensions of this request are too large.' },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, detail: 'This request took too long to arrive.' },
}
const malformed = { status: 400, detail: 'This is not a well-formed HTTP/1.1 request.' }

/** Long enough for the answer to arrive before a reset could overtake it. */
const lingerMs = 1_000

/** Answers what could not be read as a request, and closes. Says nothing where an answer has already begun. */
export function refuse(socket: Duplex, error: Error & { code?: string }, answerBegun: boolean): void {
  if (socket.writableEnded) return // told already; what still arrives only ends in the same error again
  if (!socket.writable || answerBegun || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const { status, detail } = refusals[error.code ?? ''] ?? malformed
  const body = JSON.stringify({ detail })
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
  socket.resume()
  const cut = setTimeout(() => socket.destroy(), lingerMs)
  socket.once('close', () => clearTimeout(cut))
}
