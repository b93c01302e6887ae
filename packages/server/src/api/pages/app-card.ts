import type { AuthMode } from '../../domain/app.ts'
import { CarrickError } from '../../domain/errors.ts'
import { mayCall, type Caller } from '../../domain/permissions.ts'
import type { Revision } from '../../domain/revision.ts'
import type { KnownApp } from '../../home/apps.ts'
import { active } from '../apps/apps.ts'
import { openapiOf } from '../apps/openapi.ts'
import type { Deps } from '../deps.ts'

/** What the page of an app shows, as far as its reader may know it. */
export interface AppCard {
  readonly owner: string
  readonly name: string
  readonly auth_mode: AuthMode
  /** What its author says about it. */
  readonly about?: string
  /** As the deploy sent it, or else as its server served it. */
  readonly openapi: unknown
  /** For the app's own account. */
  readonly owned?: OwnedApp
}

export interface OwnedApp {
  readonly revision: string
  readonly environment: string
  /** In words. */
  readonly state: string
  readonly queued: number
  readonly deployed_at: number
  readonly message?: string
  readonly annotations: Readonly<Record<string, unknown>>
}

/**
 * An app as this caller may see it: all of it for its own account, how to call it for those who may. To everybody else
 * a private app does not exist: it throws `app_not_found` for both.
 */
export async function appCard(
  deps: Deps,
  caller: Caller | undefined,
  { owner, name }: { readonly owner: string; readonly name: string },
): Promise<AppCard> {
  const known = deps.apps.find(owner, name)
  const revision = known?.active ?? known?.rolling
  if (known === undefined || revision === undefined || !mayLook(caller, known)) throw unseen(owner, name)
  const openapi = await openapiOf(deps, revision)
  const about = aboutIn(openapi)
  return {
    owner,
    name,
    auth_mode: known.app.authMode,
    ...(about === undefined ? {} : { about }),
    openapi: openapi ?? null,
    ...(isOwners(caller, known) ? { owned: await owned(deps, known, revision) } : {}),
  }
}

function mayLook(caller: Caller | undefined, known: KnownApp): boolean {
  if (isOwners(caller, known)) return true
  if (known.active === undefined) return false
  if (known.app.authMode === 'public') return true
  return mayCall(caller, 'apps:call') && (known.app.authMode === 'shared' || caller?.accountId === known.app.accountId)
}

function isOwners(caller: Caller | undefined, { app }: KnownApp): boolean {
  return caller?.accountId === app.accountId && mayCall(caller, 'apps:read')
}

async function owned(deps: Deps, { app, active: serving }: KnownApp, revision: Revision): Promise<OwnedApp> {
  const listed = await deps.runners.listing(app.accountId)
  const running = listed.filter(({ appId, state }) => appId === app.id && active.has(state)).length
  const { message, annotations } = revision.spec.metadata
  return {
    revision: revision.id,
    environment: app.environment,
    state: stateOf({ running, isServing: serving !== undefined, rolling: app.rollingRevisionId }),
    queued: deps.homes.of(app.id).queueLength,
    deployed_at: revision.createdAt,
    ...(typeof message === 'string' ? { message } : {}),
    annotations: isRecord(annotations) ? annotations : {},
  }
}

interface Facts {
  readonly running: number
  readonly isServing: boolean
  readonly rolling: string | undefined
}

function stateOf({ running, isServing, rolling }: Facts): string {
  if (!isServing) return 'Its first deploy waits for a healthy runner'
  const runners = running === 1 ? '1 runner' : `${running} runners`
  const now = running === 0 ? 'No runner: the next call starts one' : `Serving with ${runners}`
  return rolling === undefined ? now : `${now}; revision ${rolling} is being rolled out`
}

function aboutIn(openapi: unknown): string | undefined {
  const about =
    isRecord(openapi) && isRecord(openapi['x-fal-metadata']) ? openapi['x-fal-metadata']['about'] : undefined
  return typeof about === 'string' ? about : undefined
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The same words for an app that is not there and for one that is not theirs to know. */
const unseen = (owner: string, name: string) =>
  new CarrickError('app_not_found', `Application "${owner}/${name}" not found, or this key may not see it`)
