import type { IncomingMessage, ServerResponse } from 'node:http'

/** What scripts of other origins may read of an answer, besides its body. */
const exposed = [
  'x-fal-request-id',
  'x-fal-served-from',
  'x-fal-billable-units',
  'x-fal-error-type',
  'x-fal-request-timeout-type',
  'server-timing',
  'idempotent-replayed',
  'preference-applied',
  'etag',
  'content-length',
  'content-type',
].join(', ')

/** Lets scripts of any origin read the answer. Keys travel in a header and never in a cookie, so this grants nothing. */
export function allowOrigin(req: IncomingMessage, res: ServerResponse): void {
  if (req.headers.origin === undefined) return
  res.setHeader('access-control-allow-origin', '*')
  res.setHeader('access-control-expose-headers', exposed)
}

export function isPreflight({ method, headers }: IncomingMessage): boolean {
  return method === 'OPTIONS' && headers.origin !== undefined && 'access-control-request-method' in headers
}

/** Whether what is asked about will say in `x-fal-target-url` where it goes: its own path says nothing. */
export function isProxied({ headers }: IncomingMessage): boolean {
  const asked = headers['access-control-request-headers'] ?? ''
  return asked.split(',').some((name) => name.trim().toLowerCase() === 'x-fal-target-url')
}

/** Allows what the browser asks about. */
export function answerPreflight({ headers }: IncomingMessage, res: ServerResponse): void {
  res.writeHead(204, {
    'access-control-allow-methods': headers['access-control-request-method'] ?? '*',
    'access-control-allow-headers': headers['access-control-request-headers'] ?? '*',
    'access-control-max-age': '86400',
    vary: 'access-control-request-method, access-control-request-headers',
  })
  res.end()
}
