import type { IncomingMessage } from 'node:http'
import { Transform, type Readable } from 'node:stream'
import { CarrickError } from '../domain/errors.ts'

/** The body of a request on its way in. `failure` says what the caller did wrong, once it has. */
export interface IncomingBody extends Disposable {
  readonly stream: Readable
  failure(): CarrickError | undefined
}

/**
 * The body of a request, of at most `limit` bytes; null when it has none. The stream breaks with `body_too_large`
 * beyond the limit and with `client_disconnected` when the caller goes away. Destroying it leaves the caller's
 * connection as it is, so that an answer can still be read.
 */
export function incomingBody(req: IncomingMessage, limit: number): IncomingBody | null {
  const declared = req.headers['content-length']
  const chunked = req.headers['transfer-encoding'] !== undefined
  if (!chunked && (declared === undefined || Number(declared) === 0)) return null
  if (Number(declared) > limit) {
    discard(req)
    throw tooLarge(limit)
  }
  return metered(req, limit)
}

/** A body whose length is known and small, taken in without a stream of its own; undefined for any other. */
export function smallBody(req: IncomingMessage, limit: number): Promise<Uint8Array> | undefined {
  const declared = Number(req.headers['content-length'] ?? Number.NaN)
  if (!(declared > 0 && declared <= limit)) return undefined
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    req.on('data', (chunk: Buffer) => chunks.push(chunk))
    req.once('end', () => resolve(Buffer.concat(chunks)))
    req.once('close', () => void (req.complete || reject(disconnected())))
    req.on('error', () => {}) // followed by `close`
  })
}

function metered(req: IncomingMessage, limit: number): IncomingBody {
  let bytes = 0
  let failure: CarrickError | undefined
  const fail = (error: CarrickError): CarrickError => (failure ??= error)

  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length
      if (bytes <= limit) return done(null, chunk)
      done(fail(tooLarge(limit)))
    },
  })
  meter.on('error', () => {}) // whoever reads it is told; nobody may be reading yet
  meter.once('close', () => void (req.complete || discard(req)))
  req.once('close', () => void (req.complete || meter.destroy(fail(disconnected()))))
  req.on('error', () => {}) // followed by `close`
  req.pipe(meter)
  return { stream: meter, failure: () => failure, [Symbol.dispose]: () => void meter.destroy() }
}

/** Many clients read nothing before they have sent everything, so the rest of a refused body is let in for this long. */
const patienceMs = 10_000

function discard(req: IncomingMessage): void {
  const cut = setTimeout(() => req.destroy(), patienceMs)
  req.once('close', () => clearTimeout(cut))
  req.unpipe()
  req.resume()
}

export function disconnected(): CarrickError {
  return new CarrickError('client_disconnected', 'The caller closed the connection before it had its answer')
}

function tooLarge(limit: number): CarrickError {
  return new CarrickError(
    'body_too_large',
    `The request body is larger than the ${limit} bytes that are allowed here; upload large inputs as files and send their URLs`,
  )
}
