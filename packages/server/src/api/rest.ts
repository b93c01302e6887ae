import type { HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import type { Context } from 'hono'
import { cors } from 'hono/cors'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { httpCredentials } from '../access/credentials.ts'
import type { Connection } from '../domain/addresses.ts'
import { CarrickError } from '../domain/errors.ts'
import { httpStatus } from '../domain/outcome.ts'
import type { Caller } from '../domain/permissions.ts'
import { authorityOf, isSecure } from '../kit/secure.ts'
import { smallText } from './body.ts'
import type { Deps } from './deps.ts'
import { EventStream, streamed } from './event-stream.ts'
import { checked } from './operation.ts'
import { routes } from './rest-routes.ts'
import type { Request as Asked, Route } from './routes/route.ts'

/** The control plane over HTTP: what the stock `fal` command asks besides gRPC, and the platform's own API. */
export function createRest(deps: Deps): Hono {
  const api = new Hono()
  for (const { path } of routes.filter(({ forBrowsers }) => forBrowsers)) api.use(path, crossOrigin)
  for (const route of routes) api.on(route.method, route.path, (context) => serve(deps, route, context))
  api.notFound((context) => {
    const { method, path } = context.req
    return context.json({ detail: `${method} ${path} not found: this server serves no such address` }, 404)
  })
  api.onError((error, context) => refusal(deps, error, context))
  return api
}

/** Lets scripts of any origin ask and read the answer, as the gateway does for calls. */
const crossOrigin = cors({
  origin: '*',
  allowMethods: ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'],
  exposeHeaders: ['etag', 'content-length', 'content-range', 'accept-ranges', 'content-type', 'x-fal-error-type'],
  maxAge: 86_400,
})

const mostBytes = 64 * 1024

async function serve(deps: Deps, { call }: Route, context: Context): Promise<Response> {
  const caller = await callerIn(deps, context.req.header('authorization'))
  const connection = connectionOf(context)
  const request: Asked = {
    query: context.req.query(),
    params: context.req.param(),
    path: new URL(context.req.url).pathname,
    baseUrl: deps.baseUrl(connection),
    publicUrl: deps.publicUrl(connection),
    header: (name) => context.req.header(name),
    body: context.req.raw.body,
    json: async (schema, most = mostBytes) => checked(schema, await jsonOf(context, most)),
  }
  const answer = await call(deps, caller, request, { signal: context.req.raw.signal, say: () => {} })
  if (answer instanceof Response) return answer
  if (answer instanceof EventStream) return streamed(answer, deps.log)
  return typeof answer === 'string' ? context.html(answer, 200, pageHeaders) : context.json(answer)
}

/** Whose key it is, or whose token that a key was exchanged for. */
async function callerIn(
  { keyring, uploadTokens }: Deps,
  authorization: string | undefined,
): Promise<Caller | undefined> {
  const credentials = httpCredentials(authorization)
  return credentials === undefined ? uploadTokens.identify(authorization) : keyring.identify(credentials)
}

/** How a request reached us. Without a Node server around it, as its URL says. */
function connectionOf({ req, env }: Context): Connection {
  const { incoming } = (env ?? {}) as Partial<HttpBindings>
  if (incoming !== undefined) return { secure: isSecure(incoming), authority: authorityOf(incoming) }
  return { secure: new URL(req.url).protocol === 'https:', authority: req.header('host') }
}

/** A page shows words and runs nothing. */
const pageHeaders = { 'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'" }

async function jsonOf({ req }: Context, most: number): Promise<unknown> {
  const text = await smallText(req.raw.body, most)
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new CarrickError('bad_request', 'The body is not JSON', { cause })
  }
}

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
