import type { IncomingMessage } from 'node:http'
import { authorize } from '../access/authorize.ts'
import { httpCredentials } from '../access/credentials.ts'
import type { CallTokens } from '../access/call-tokens.ts'
import type { Keyring } from '../access/keyring.ts'
import { endpointOf } from '../calls/headers.ts'
import { callerIdOf } from '../domain/caller-id.ts'
import { CarrickError } from '../domain/errors.ts'
import { mayCall, type Caller, type Permission } from '../domain/permissions.ts'
import { wireName } from '../domain/names.ts'
import type { Revision } from '../domain/revision.ts'
import type { Apps, KnownApp } from '../home/apps.ts'
import type { CalledAs } from '../home/usage-meter.ts'
import type { Route } from './route.ts'
import type { Alias, Target } from './target.ts'

/** The permission that each route takes. A public app asks nobody for it. */
export const access = {
  call: 'apps:call',
  submit: 'apps:call',
  session: 'apps:call',
  status: 'apps:call',
  status_stream: 'apps:call',
  result: 'apps:call',
  cancel: 'apps:call',
} as const satisfies Record<Exclude<Route['kind'], 'rest' | 'refused'>, Permission>

/** An app that can be called: it has an active revision. */
export interface CallableApp extends KnownApp {
  readonly active: Revision
}

type Asking = Pick<IncomingMessage, 'headers'> & { readonly socket?: object }

/** Who came on a connection last, and by which header: most connections have one caller for all their requests. */
const cameLast = new WeakMap<object, { readonly authorization: string; readonly caller: Caller }>()

/**
 * Who sent the request; undefined without a valid key. Where the header is the one that came on the same connection before,
 * the key is not hashed again, only asked whether it is still the same.
 */
export function callerOf({ headers, socket }: Asking, keyring: Keyring): Caller | undefined {
  const { authorization } = headers
  if (authorization === undefined) return undefined
  const last = socket && cameLast.get(socket)
  if (last?.authorization === authorization && keyring.holderOf(last.caller.keyId) === last.caller) return last.caller
  const credentials = httpCredentials(authorization)
  const caller = credentials && keyring.identify(credentials)
  if (socket !== undefined && caller !== undefined) cameLast.set(socket, { authorization, caller })
  return caller
}

/**
 * Who sent a request whose address may hold a token: browsers can send no key with a WebSocket. A valid key comes first;
 * undefined with neither, and where the token is not for this endpoint.
 */
export async function callerByToken(
  req: Asking,
  { keyring, callTokens }: { readonly keyring: Keyring; readonly callTokens: Pick<CallTokens, 'identify'> },
  { alias, path, token }: Target,
): Promise<Caller | undefined> {
  const caller = callerOf(req, keyring)
  return caller ?? (token === undefined ? undefined : callTokens.identify(token, endpointOf(alias, path)))
}

/** The app, if this caller may call it. To everybody else a private app does not exist, and those without a key learn nothing. */
export function callableApp(apps: Apps, caller: Caller | undefined, alias: Alias): CallableApp {
  const known = apps.find(alias.owner, alias.name)
  if (known?.app.authMode !== 'public') authenticate(caller, alias)
  const { active } = known ?? {}
  if (known === undefined || active === undefined || !isOpenTo(caller, known)) throw unknownApplication(alias)
  return { ...known, active }
}

/** Throws unless the key is valid and may be used for calls. */
export function authenticate(caller: Caller | undefined, alias: Alias): Caller {
  if (caller !== undefined) return authorize(caller, access.call)
  const detail = `Cannot access application '${wireName(alias)}'. Authentication is required to access this application.`
  throw new CarrickError('unauthenticated', detail)
}

export function owns(caller: Caller | undefined, { app }: KnownApp): boolean {
  return caller?.accountId === app.accountId
}

export function callerIdFor(caller: Caller | undefined, { app }: KnownApp): string {
  return callerIdOf(caller?.accountId, app)
}

/** As whom they use what they call. */
export function calledAs(caller: Caller | undefined, { app }: KnownApp): CalledAs {
  return { keyId: caller?.keyId, isShared: app.authMode === 'shared' }
}

function isOpenTo(caller: Caller | undefined, known: KnownApp): boolean {
  switch (known.app.authMode) {
    case 'public':
      return true
    case 'shared':
      return mayCall(caller, access.call)
    default:
      return owns(caller, known)
  }
}

export function unknownApplication(alias: Alias): CarrickError {
  return new CarrickError('app_not_found', `Application "${wireName(alias)}" not found`)
}
