/**
 * The OCI distribution API on bare HTTP: blobs are streamed, in and out, and never stand in memory. Reads and writes the
 * registry's rows and blobs. Any number of requests at a time.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { createAccess, Visitor } from './access.ts'
import { deleteBlob, getBlob } from './blob-requests.ts'
import type { RegistryDeps } from './deps.ts'
import { RegistryError } from './errors.ts'
import { answerError, answerJson, type Exchange } from './exchange.ts'
import { listReferrers, listRepositories, listTags } from './list-requests.ts'
import { getManifest, removeManifest, storeManifest } from './manifest-requests.ts'
import { routeOf, type Route } from './routes.ts'
import { appendUpload, beginUpload, cancelUpload, endUpload, showUpload } from './upload-requests.ts'

export interface DoorParts extends RegistryDeps {
  readonly access: Pick<ReturnType<typeof createAccess>, 'visitorOf'>
  /** Whether what changes something may be done: not while the server goes down. */
  readonly accepting: () => boolean
}

/** Answers requests below `/v2/`; `false` for all others. */
export function createDoor(parts: DoorParts): (req: IncomingMessage, res: ServerResponse) => boolean {
  return (req, res) => {
    if (!isBelow(req.url ?? '')) return false
    const exchange = { req, res }
    res.setHeader('docker-distribution-api-version', 'registry/2.0')
    serve(parts, exchange).catch((error: unknown) => answerError(exchange, error, parts.log))
    return true
  }
}

const isBelow = (url: string): boolean =>
  url.startsWith('/v2') && (url.length === 3 || url[3] === '/' || url[3] === '?')

async function serve(parts: DoorParts, exchange: Exchange): Promise<void> {
  const { req } = exchange
  const visitor = parts.access.visitorOf(req.headers.authorization)
  const route = routeOf(req.url ?? '')
  if (route === undefined) throw new RegistryError('NAME_UNKNOWN', 'there is nothing at this address')
  const method = req.method ?? 'GET'
  if (method !== 'GET' && method !== 'HEAD' && !parts.accepting())
    throw new RegistryError('UNAVAILABLE', 'this server is shutting down: try again when it is back')
  const handle = handlerOf(route, method === 'HEAD' ? 'GET' : method)
  if (handle === undefined) throw new RegistryError('UNSUPPORTED', `${method} means nothing at this address`)
  await handle(parts, exchange, visitor, route)
}

type Handler<R> = (deps: RegistryDeps, exchange: Exchange, visitor: Visitor, route: R) => Promise<void> | void
type Handlers = { readonly [Kind in Route['kind']]: Readonly<Record<string, Handler<Route & { readonly kind: Kind }>>> }

const handlers: Handlers = {
  base: { GET: (_deps, exchange) => answerJson(exchange, {}) },
  catalog: { GET: listRepositories },
  tags: { GET: listTags },
  referrers: { GET: listReferrers },
  uploads: { POST: beginUpload },
  upload: { GET: showUpload, PATCH: appendUpload, PUT: endUpload, DELETE: cancelUpload },
  blob: { GET: getBlob, DELETE: deleteBlob },
  manifest: { GET: getManifest, PUT: storeManifest, DELETE: removeManifest },
}

/** The kind of the route chose the handler, which takes such a route. */
function handlerOf({ kind }: Route, method: string): Handler<Route> | undefined {
  const those = handlers[kind]
  return Object.hasOwn(those, method) ? (those[method] as Handler<Route>) : undefined
}
