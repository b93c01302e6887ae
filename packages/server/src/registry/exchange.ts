import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { CarrickError } from '../domain/errors.ts'
import type { Logger } from '../kit/logger.ts'
import { RegistryError } from './errors.ts'

/** A request and its answer. */
export interface Exchange {
  readonly req: IncomingMessage
  readonly res: ServerResponse
}

/** Answers without a body, or with a text. */
export function answer({ req, res }: Exchange, status: number, headers: OutgoingHttpHeaders, body = ''): void {
  const length = headers['content-length'] ?? Buffer.byteLength(body)
  res.writeHead(status, { ...(status === 204 ? {} : { 'content-length': length }), ...headers })
  res.end(req.method === 'HEAD' ? undefined : body)
}

export function answerJson(exchange: Exchange, value: unknown, headers: OutgoingHttpHeaders = {}): void {
  answer(exchange, 200, { 'content-type': 'application/json', ...headers }, JSON.stringify(value))
}

/** Answers with what went wrong, as the specification has it, unless the answer has begun: then it breaks. */
export function answerError({ req, res }: Exchange, error: unknown, log: Logger): void {
  if (res.destroyed) return // the client has left
  if (res.headersSent) {
    log.error({ err: error, url: req.url }, 'an answer of the registry broke off')
    return void res.destroy()
  }
  const told = toldOf(error)
  if (told.status === 500) log.error({ err: error, url: req.url }, 'a request to the registry failed')
  // What is still coming of a body that is not wanted could be gigabytes.
  const close = req.complete || req.headers['content-length'] === '0' ? {} : { connection: 'close' }
  const errors = [{ code: told.code, message: told.message, detail: {} }]
  const headers = { 'content-type': 'application/json', ...close, ...told.headers }
  answer({ req, res }, told.status, headers, JSON.stringify({ errors }))
}

function toldOf(error: unknown): RegistryError {
  if (error instanceof RegistryError) return error
  if (!(error instanceof CarrickError)) return new RegistryError('UNKNOWN', 'the server failed; its log says why')
  if (error.kind === 'full') return new RegistryError('DENIED', error.message, { status: 507 })
  if (error.kind === 'unavailable') return new RegistryError('UNAVAILABLE', error.message)
  return new RegistryError('UNKNOWN', error.message)
}
