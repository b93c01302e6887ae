import type { HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import type { Context } from 'hono'
import { cors } from 'hono/cors'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { httpCredentials } from '../../access/credentials.ts'
import type { Connection } from '../../domain/addresses.ts'
import { CarrickError } from '../../domain/errors.ts'
import { httpStatus } from '../../domain/outcome.ts'
import type { Caller } from '../../domain/permissions.ts'
import { uuidv7 } from '../../kit/ids.ts'
import { authorityOf, isSecure } from '../../kit/secure.ts'
import { smallText } from './body.ts'
import type { Deps } from '../deps.ts'
import { EventStream, streamed } from './event-stream.ts'
import { IdempotentAnswers } from './idempotency.ts'
import { checked } from '../operation.ts'
import { endOf, whileKeyed } from '../while-keyed.ts'
import { isPlatformPath, platformRefusal } from './platform-errors.ts'
import { routes } from './rest-routes.ts'
import type { Request as Asked, Route } from './routes/route.ts'

/** The control plane over HTTP: what the stock `fal` command asks besides gRPC, and the platform's own API. */
export function createRest(deps: Deps): Hono {
  const api = new Hono()
  const answers = new IdempotentAnswers(deps.clock)
  for (const { path } of routes.filter(({ forBrowsers }) => forBrowsers)) api.use(path, crossOrigin)
  for (const route of routes) api.on(route.method, route.path, (context) => serve({ deps, answers }, route, context))
  api.notFound((context) => {
    const { method, path } = context.req
    const message = `${method} ${path} not found: this server serves no such address`
    if (isPlatformPath(path)) return refusal(deps, new CarrickError('route_not_found', message), context)
    return context.json({ detail: message }, 404)
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

interface Serving {
  readonly deps: Deps
  readonly answers: IdempotentAnswers
}

async function serve({ deps, answers }: Serving, { call, audited }: Route, context: Context): Promise<Response> {
  const caller = await callerIn(deps, context.req.header('authorization'))
  const connection = connectionOf(context)
  const request: Asked = {
    query: context.req.query(),
    queries: context.req.queries(),
    params: context.req.param(),
    method: context.req.raw.method,
    path: new URL(context.req.url).pathname,
    baseUrl: deps.baseUrl(connection),
    publicUrl: deps.publicUrl(connection),
    header: (name) => context.req.header(name),
    body: context.req.raw.body,
    json: async (schema, most = mostBytes) => checked(schema, await jsonOf(context, most)),
  }
  const work = async () =>
    shown(deps, await call(deps, caller, request, { signal: context.req.raw.signal, say: () => {} }), caller, context)
  const once = audited && caller && isPlatformPath(request.path) && context.req.header('idempotency-key')
  if (!once) return work()
  if (once.length > 255)
    throw new CarrickError('bad_request', 'An Idempotency-Key may be 255 characters long, not more')
  return answers.once([caller.keyId, context.req.method, context.req.url, once].join(' '), work)
}

async function shown(
  deps: Deps,
  answer: object | string,
  caller: Caller | undefined,
  context: Context,
): Promise<Response> {
  if (answer instanceof Response) {
    return context.req.raw.method === 'HEAD' ? withoutBody(answer) : answer
  }
  if (answer instanceof EventStream) {
    return streamed(new EventStream(whileKeyed(endOf(deps, caller), answer.batches)), deps.log)
  }
  return typeof answer === 'string' ? context.html(answer, 200, pageHeaders) : context.json(answer)
}

/**
 * A page loads what this server holds for it and nothing else, asks nobody but this server, and can be put into no frame.
 * Only what an app answered with may be shown from wherever it is.
 */
const pageHeaders = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    'img-src http: https: data: blob:',
    'media-src http: https: data: blob:',
    "form-action 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join('; '),
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-cache',
}

/** What it says of itself. Its body is given up: nobody will read it. */
async function withoutBody(answer: Response): Promise<Response> {
  await answer.body?.cancel()
  const { status, headers } = answer
  return new Response(null, { status, headers })
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

async function jsonOf({ req }: Context, most: number): Promise<unknown> {
  const text = await smallText(req.raw.body, most)
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new CarrickError('bad_request', 'The body is not JSON', { cause })
  }
}

/** Every refusal has one shape, which the stock client prints; the platform API has another. */
function refusal(deps: Deps, error: Error, context: Context): Response {
  const known = error instanceof CarrickError ? error : unforeseen(deps, error, context)
  const status = httpStatus[known.kind] as ContentfulStatusCode // 4xx and 5xx have bodies
  if (!isPlatformPath(context.req.path)) return context.json({ detail: known.message, error_type: known.code }, status)
  const requestId = uuidv7(deps.clock)
  return context.json(platformRefusal(known, requestId), status, { 'x-fal-request-id': requestId })
}

function unforeseen({ log }: Deps, error: Error, context: Context): CarrickError {
  const { method, path } = context.req
  log.error({ err: error, method, path }, 'a control request failed unexpectedly')
  const message = `${method} ${path} failed inside the server. This is a bug of Carrick; the server's log says more`
  return new CarrickError('internal_error', message, { cause: error })
}
