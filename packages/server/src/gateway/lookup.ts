import { isInScope } from '../domain/call-scope.ts'
import { wireName } from '../domain/names.ts'
import { mayCall, type Caller } from '../domain/permissions.ts'
import type { KnownApp } from '../home/apps.ts'
import type { LatestRequest } from '../home/latest-requests.ts'
import { submitterOf } from '../store/bodies.ts'
import { requestById } from '../store/requests.ts'
import { access, authenticate, callerByToken, callerIdFor, callerOf, owns } from './access.ts'
import type { Exchange, GatewayDeps } from './deps.ts'
import type { RequestRoute } from './route.ts'
import type { Alias } from './target.ts'

/** A request as its caller may see it. `owner`: the caller is the account that has the app. */
export interface VisibleRequest {
  readonly request: LatestRequest
  readonly known: KnownApp
  readonly owner: boolean
}

/** Who asks about a request. Throws before anything is looked up unless the key is valid or the app is public. */
export function questioner(deps: GatewayDeps, { req }: Exchange, { alias }: RequestRoute): Caller | undefined {
  return allowed(deps, callerOf(req, deps.keyring), alias)
}

/** The same where a token in the address does as well. */
export async function questionerByToken(
  deps: GatewayDeps,
  { req }: Exchange,
  { alias, token }: RequestRoute,
): Promise<Caller | undefined> {
  return allowed(deps, await callerByToken(req, deps, { alias, path: '', token }), alias)
}

function allowed({ apps }: GatewayDeps, caller: Caller | undefined, alias: Alias): Caller | undefined {
  if (apps.find(alias.owner, alias.name)?.app.authMode !== 'public') authenticate(caller, alias)
  return caller
}

/** Finds a request by its id alone, because clients differ in what they put before it. Undefined when the caller may not see it. */
export async function visibleRequest(
  deps: GatewayDeps,
  caller: Caller | undefined,
  { requestId }: RequestRoute,
): Promise<VisibleRequest | undefined> {
  const request = deps.homes.latest.find(requestId)?.request ?? (await deps.store.read(requestById(requestId)))
  const known = request && deps.apps.byId(request.appId)
  if (request === undefined || known === undefined || !isMeant(caller, known)) return undefined
  const owner = owns(caller, known)
  const visible = known.app.authMode === 'public' || (await isTheirs(deps, caller, { request, known, owner }))
  return visible ? { request, known, owner } : undefined
}

/** Whether it is of an app that the caller's token is for: the path may name another. */
function isMeant(caller: Caller | undefined, { app }: KnownApp): boolean {
  return caller?.callsOnly === undefined || isInScope(caller.callsOnly, wireName(app))
}

/** Whether it is the caller's own, or one of the caller's app. The path may name a public app, so the key has not been asked yet. */
async function isTheirs(deps: GatewayDeps, caller: Caller | undefined, seen: VisibleRequest): Promise<boolean> {
  return mayCall(caller, access.result) && (seen.owner || (await isSubmitter(deps, caller, seen)))
}

async function isSubmitter(
  { store }: GatewayDeps,
  caller: Caller | undefined,
  { request, known }: VisibleRequest,
): Promise<boolean> {
  return (await store.read(submitterOf(request.id))) === callerIdFor(caller, known)
}
