import { Hono } from 'hono'
import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { httpCredentials } from '../access/credentials.ts'
import { CarrickError } from '../domain/errors.ts'
import { httpStatus } from '../domain/outcome.ts'
import type { Deps } from './deps.ts'
import { EventStream, streamed } from './event-stream.ts'
import { routes } from './rest-routes.ts'
import type { Route } from './rest-routes.ts'

/** The control plane over HTTP: what the stock `fal` command asks besides gRPC, and the platform's own API. */
export function createRest(deps: Deps): Hono {
  const api = new Hono()
  for (const route of routes) api.on(route.method, route.path, (context) => serve(deps, route, context))
  api.notFound((context) => {
    const { method, path } = context.req
    return context.json({ detail: `${method} ${path} not found: this server serves no such address` }, 404)
  })
  api.onError((error, context) => refusal(deps, error, context))
  return api
}

async function serve(deps: Deps, { call }: Route, context: Context): Promise<Response> {
  const credentials = httpCredentials(context.req.header('authorization'))
  const caller = credentials && deps.keyring.identify(credentials)
  const { protocol, pathname } = new URL(context.req.url)
  const connection = { secure: protocol === 'https:', authority: context.req.header('host') }
  const request = {
    query: context.req.query(),
    params: context.req.param(),
    path: pathname,
    baseUrl: deps.baseUrl(connection),
  }
  const answer = await call(deps, caller, request, { signal: context.req.raw.signal, say: () => {} })
  if (answer instanceof EventStream) return streamed(answer, deps.log)
  return typeof answer === 'string' ? context.html(answer, 200, pageHeaders) : context.json(answer)
}

/** A page shows words and runs nothing. */
const pageHeaders = { 'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'" }

/** Every refusal has one shape, which the stock client prints. */
function refusal({ log }: Deps, error: Error, context: Context): Response {
  if (error instanceof CarrickError) {
    const status = httpStatus[error.kind] as ContentfulStatusCode // 4xx and 5xx have bodies
    return context.json({ detail: error.message, error_type: error.code }, status)
  }
  const { method, path } = context.req
  log.error({ err: error, method, path }, 'a control request failed unexpectedly')
  const detail = `${method} ${path} failed inside the server. This is a bug of Carrick; the server's log says more`
  return context.json({ detail, error_type: 'internal_error' }, 500)
}
