import { getRequestListener } from '@hono/node-server'
import type { Hono } from 'hono'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { Gateway } from './gateway/gateway.ts'

/** Whether work may be sent here: not while starting, not while draining. */
export type Readiness = 'starting' | 'ready' | 'draining'

/**
 * One listener for all of HTTP/1.1: probes first, then images where there is a registry, then calls to apps, and what is
 * left is control.
 */
export function createListener(
  gateway: Gateway,
  rest: Hono,
  readiness: () => Readiness,
  images: (req: IncomingMessage, res: ServerResponse) => boolean = () => false,
): RequestListener {
  const control = getRequestListener(rest.fetch, { overrideGlobalObjects: false })
  return (req, res) => {
    if (req.url === '/healthz') answer(res, 200, 'ok')
    else if (req.url === '/readyz') answer(res, readiness() === 'ready' ? 200 : 503, readiness())
    else if (!images(req, res) && !gateway.handle(req, res)) void control(req, res)
  }
}

function answer(res: ServerResponse, status: number, text: string): void {
  res.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`)
}

/** Answers while the roles are not there yet. Clients of gRPC take 503 for "try again", and do. */
export function notYet(_req: IncomingMessage | Http2ServerRequest, res: ServerResponse | Http2ServerResponse): void {
  res.statusCode = 503
  res.setHeader('retry-after', '1')
  res.end()
}
