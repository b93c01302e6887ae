import { STATUS_CODES, type ServerResponse } from 'node:http'
import { flat } from '../calls/headers.ts'
import { endInOnePiece } from '../calls/one-piece.ts'
import type { HeaderPairs } from '../domain/request.ts'
import { withOthers } from '../kit/turn.ts'

/** Clients show the reason phrase as their error message, so every status has one. */
export function reasonPhrase(status: number): string {
  return status === 499 ? 'Client Closed Request' : (STATUS_CODES[status] ?? 'Unknown')
}

const exposed = 'access-control-expose-headers'

/** Begins an answer with these headers, repeated ones too. They come before what was set on the response earlier. */
export function begin(res: ServerResponse, status: number, headers: HeaderPairs): ServerResponse {
  const ours = res.getHeader(exposed)
  const both = ours !== undefined && headers.some(([name]) => name === exposed)
  const all = both ? [...headers, [exposed, String(ours)] as const] : headers
  return res.writeHead(status, reasonPhrase(status), flat(all))
}

/** Sends the headers before there is a body. Node's own `flushHeaders` writes them as UTF-8, and they are Latin-1. */
export function sendHeaders(res: ServerResponse): void {
  res.write('', 'latin1')
}

export function json(res: ServerResponse, status: number, body: object, headers: HeaderPairs = []): void {
  const text = JSON.stringify(body)
  const type = [
    ['content-type', 'application/json; charset=utf-8'],
    ['content-length', String(Buffer.byteLength(text))],
  ] as const
  begin(res, status, [...type, ...headers])
  finish(res, text)
}

/** Ends an answer that has begun with the last or the only piece of its body, together with others where there are such. */
export function finish(res: ServerResponse, body: string | Uint8Array): void {
  withOthers(() => {
    if (res.destroyed) return
    if (typeof body === 'string') res.end(body)
    else endInOnePiece(res, body)
  })
}
