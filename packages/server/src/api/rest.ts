import type { HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { httpCredentials } from '../access/credentials.ts'
import type { Connection } from '../domain/addresses.ts'
import { CarrickError } from '../domain/errors.ts'
import { httpStatus } from '../domain/outcome.ts'
import { authorityOf, isSecure } from '../kit/secure.ts'
import type { Deps } from './deps.ts'
import { EventStream, streamed } from './event-stream.ts'
import { checked } from './operation.ts'
import { routes } from './rest-routes.ts'
import type { Request as Asked, Route } from './routes/route.ts'

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

const mostBytes = 64 * 1024

async function serve(deps: Deps, { call }: Route, context: Context): Promise<Response> {
  const credentials = httpCredentials(context.req.header('authorization'))
  const caller = credentials && deps.keyring.identify(credentials)
  const request: Asked = {
    query: context.req.query(),
    params: context.req.param(),
    path: new URL(context.req.url).pathname,
    baseUrl: deps.baseUrl(connectionOf(context)),
    header: (name) => context.req.header(name),
    body: context.req.raw.body,
    json: async (schema) => checked(schema, await jsonOf(context)),
  }
  const answer = await call(deps, caller, request, { signal: context.req.raw.signal, say: () => {} })
  if (answer instanceof Response) return answer
  if (answer instanceof EventStream) return streamed(answer, deps.log)
  return typeof answer === 'string' ? context.html(answer, 200, pageHeaders) : context.json(answer)
}

/** How a request reached us. Without a Node server around it, as its URL says. */
function connectionOf({ req, env }: Context): Connection {
  const { incoming } = (env ?? {}) as Partial<HttpBindings>
  if (incoming !== undefined) return { secure: isSecure(incoming), authority: authorityOf(incoming) }
  return { secure: new URL(req.url).protocol === 'https:', authority: req.header('host') }
}

/** A page shows words and runs nothing. */
const pageHeaders = { 'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'" }

async function jsonOf({ req }: Context): Promise<unknown> {
  const text = await smallText(req.raw)
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new CarrickError('bad_request', 'The body is not JSON', { cause })
  }
}

/** Reads no more than it takes to know that there is too much. */
async function smallText({ body }: Request): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength
    if (bytes > mostBytes) {
      throw new CarrickError('body_too_large', `The body is larger than the ${mostBytes} bytes that are taken here`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
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
