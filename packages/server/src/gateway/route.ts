import type { RequestId } from '../domain/ids.ts'
import { hostIn, serviceIn, standInFor, type Service } from './hosts.ts'
import { withoutToken } from './query.ts'
import { methodsOf, requestIn, type Operation } from './request-path.ts'
import { firstSegment, isForRest, targetOf, type Alias, type Target } from './target.ts'

/** What a request asks for. */
export type Route =
  | CallRoute
  | RequestRoute
  /** For another door, under this URL. */
  | { readonly kind: 'rest'; readonly url: string }
  | {
      readonly kind: 'refused'
      readonly code: 'bad_request' | 'route_not_found' | 'unimplemented'
      readonly message: string
    }

/** A call to an app. */
export interface CallRoute extends Target {
  readonly kind: 'call' | 'submit' | 'session'
}

/** Something about a request that the queue has accepted. */
export interface RequestRoute {
  readonly kind: Operation
  readonly alias: Alias
  readonly requestId: RequestId
  readonly query: URLSearchParams
  /** What stood in the address in the place of a key. */
  readonly token?: string | undefined
}

/** The part of an HTTP request that says where it wants to go. */
export interface Asked {
  readonly method: string
  readonly url: string
  readonly host: string | undefined
  /** The `x-fal-target-url` header: where a client that was given a proxy would have gone. */
  readonly targetUrl?: string | undefined
}

/** Finds the way by host name, path prefix, or the host in `x-fal-target-url`. Nothing is ever fetched. */
export function routeOf(asked: Asked, hosts: readonly string[]): Route {
  if (asked.targetUrl !== undefined) return byTarget(asked, asked.targetUrl, hosts)
  return byHost(asked, hosts)
}

const unservedHosts: ReadonlySet<string> = new Set(['wma.fal.run'])

function byTarget(asked: Asked, targetUrl: string, hosts: readonly string[]): Route {
  const target = URL.parse(targetUrl)
  if (target === null || !/^https?:$/.test(target.protocol)) {
    return refused('bad_request', 'The header x-fal-target-url must be a whole http or https URL')
  }
  // First, because these may be names of ours as well.
  const service = standInFor(target.host)
  if (service !== undefined) return byService(service, asked.method, target.pathname + target.search)
  // Proxies copy the header to their upstream, which may be us.
  if (hostIn(target.host, hosts) !== undefined) return byHost(asked, hosts)
  if (unservedHosts.has(target.host))
    return refused('unimplemented', `This server has nothing in place of ${target.host}`)
  return refused(
    'bad_request',
    `The header x-fal-target-url names ${target.host}, which this server does not stand in for`,
  )
}

function byHost({ method, url, host }: Asked, hosts: readonly string[]): Route {
  const asked = url.startsWith('/') ? url : originForm(url)
  if (asked === undefined) return refused('bad_request', 'The request target must be a path')
  const service = serviceIn(host, hosts)
  if (service !== undefined) return byService(service, method, asked)
  const { first, rest } = firstSegment(asked)
  if (first === 'queue' || first === 'ws') return byService(first, method, rest)
  return byService('call', method, asked)
}

function originForm(url: string): string | undefined {
  const parsed = URL.parse(url)
  return parsed?.protocol === 'http:' || parsed?.protocol === 'https:' ? parsed.pathname + parsed.search : undefined
}

function byService(service: Service, method: string, url: string): Route {
  // What HTTP may carry in a path, and what a runner can be sent.
  if (/[^\u0021-\u00ff]/.test(url))
    return refused('bad_request', 'The path holds characters that must be percent-encoded')
  if (callsComfy(service, method, url)) return refused('unimplemented', noComfy)
  if (service === 'rest') return { kind: 'rest', url }
  if (service === 'kv') return { kind: 'rest', url: `/kv${url}` }
  if (service === 'call' && isForRest(method, url)) return { kind: 'rest', url }
  const { url: shown, token } = withoutToken(url)
  const found = targetOf(shown)
  if (found === undefined)
    return refused('route_not_found', 'The path must begin with the owner and the name of an app')
  const target = token === undefined ? found : { ...found, token }
  if (service === 'queue') return queueRoute(method, target)
  return { kind: service === 'ws' ? 'session' : 'call', ...target }
}

const noComfy =
  'ComfyUI workflows are kept here, and nothing here runs them: deploy ComfyUI as an app, or make a workflow of apps'

/** Where clients would have a ComfyUI workflow run: everywhere but at the addresses under which it is saved and read. */
function callsComfy(service: Service, method: string, url: string): boolean {
  if (firstSegment(url).first !== 'comfy') return false
  return service === 'queue' || service === 'ws' || (service === 'call' && !isForRest(method, url))
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** The list of an app's requests. An app may have an endpoint of that name: it is called, and submitted to, as ever. */
const list = /^\/requests\/?(\?.*)?$/

function queueRoute(method: string, target: Target): Route {
  const listed = method === 'GET' ? list.exec(target.path) : null
  if (listed) return { kind: 'rest', url: `${listAddress(target.alias)}${listed[1] ?? ''}` }
  const { requestId, operation, query } = requestIn(target.path) ?? {}
  // An app may have a path of this form itself, which is posted to.
  if (requestId === undefined || operation === undefined || (method === 'POST' && !uuid.test(requestId))) {
    return submission(method, target)
  }
  const methods = methodsOf[operation]
  if (methods.includes(method)) {
    const { alias, token } = target
    return { kind: operation, alias, requestId, query: new URLSearchParams(query), token }
  }
  return method === 'POST'
    ? submission(method, target)
    : refused('route_not_found', `No such route: ${method} here; use ${methods[0]}`)
}

function listAddress({ owner, name }: Alias): string {
  return `/applications/${encodeURIComponent(owner)}/${encodeURIComponent(name)}/requests`
}

function submission(method: string, target: Target): Route {
  return method === 'POST'
    ? { kind: 'submit', ...target }
    : refused('route_not_found', `No such route: the queue takes POST for new requests, not ${method}`)
}

function refused(code: 'bad_request' | 'route_not_found' | 'unimplemented', message: string): Route {
  return { kind: 'refused', code, message }
}
