import { CarrickError } from './errors.ts'

/** The environment whose apps carry no suffix. */
export const mainEnvironment = 'main'

/** First path segments that mean something else than an owner. */
export const reservedOwners: ReadonlySet<string> = new Set([
  'queue',
  'ws',
  'rest',
  'v1',
  'v2',
  'storage',
  'files',
  'kv',
  'tokens',
  'workflows',
  'comfy',
  'users',
  'applications',
  'runners',
  'logs',
  'requests',
  'billing',
  'keys',
  'metrics',
  'healthz',
  'readyz',
  'models',
  'dashboard',
  '.well-known',
])

const separator = '--'
const pattern = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
const rule = 'use lower-case letters, digits and single hyphens between them, 63 characters at most'

const workflowMark = 'workflows/'

/**
 * The whole name of a workflow, among the names of an account's apps. No app can be called so; on the wire the mark
 * stands in front of the owner.
 */
export const workflowAlias = (name: string): string => `${workflowMark}${name}`

/** The name of a workflow without its mark; undefined for an app's. */
export function workflowName(alias: string): string | undefined {
  return alias.startsWith(workflowMark) ? alias.slice(workflowMark.length) : undefined
}

/** What clients call it: `owner/app` or `workflows/owner/name`. */
export function wireName({ owner, name }: { readonly owner: string; readonly name: string }): string {
  const workflow = workflowName(name)
  return workflow === undefined ? `${owner}/${name}` : `${workflowMark}${owner}/${workflow}`
}

/** The name of one revision of an app, by which its owner calls it whatever revision the app has now. */
export const revisionAlias = (name: string, revisionId: string): string => `${name}@${revisionId}`

/** The app that a name means, and the revision where it names one. No app can have an `@` in its own name. */
export function splitRevision(alias: string): { readonly name: string; readonly revisionId?: string } {
  const at = alias.indexOf('@')
  return at === -1 ? { name: alias } : { name: alias.slice(0, at), revisionId: alias.slice(at + 1) }
}

/** An alias as the wire carries it: `hello` in main, `hello--staging` in staging. */
export interface AliasParts {
  readonly base: string
  readonly environment: string
}

/** Takes an alias apart. Whether the parts are allowed is for `checkAppName` and `checkEnvironmentName` to say. */
export function splitAlias(name: string): AliasParts {
  const at = name.indexOf(separator)
  if (at === -1) return { base: name, environment: mainEnvironment }
  return { base: name.slice(0, at), environment: name.slice(at + separator.length) }
}

/** The alias of an app in an environment. */
export function joinAlias({ base, environment }: AliasParts): string {
  return environment === mainEnvironment ? base : `${base}${separator}${environment}`
}

/** The alias of a run: what its caller named it as far as an app can be named so, and chance that tells it from all others. */
export function runAlias(name: string, chance: string): string {
  const { base, environment } = splitAlias(name)
  const named = nearestName(base).slice(0, 40).replace(/-+$/, '')
  return joinAlias({ base: `${named || 'run'}-${chance}`, environment })
}

/** Throws `invalid_app` unless this can be an app's name, without the environment's suffix. */
export function checkAppName(name: string): void {
  if (!isName(name)) throw new CarrickError('invalid_app', refusal(`"${name}" cannot be the name of an app`, name))
}

/** Throws `bad_request` unless this can be an environment's name, which may be `main`. */
export function checkEnvironmentName(name: string): void {
  if (!isName(name))
    throw new CarrickError('bad_request', refusal(`"${name}" cannot be the name of an environment`, name))
}

/** Throws `bad_request` unless this can be the owner in `owner/app`. */
export function checkOwner(nickname: string): void {
  if (reservedOwners.has(nickname)) {
    throw new CarrickError(
      'bad_request',
      `"${nickname}" cannot be an owner: paths that begin with it mean something else. Choose another name`,
    )
  }
  if (!isName(nickname)) throw new CarrickError('bad_request', refusal(`"${nickname}" cannot be an owner`, nickname))
}

/** The owner for somebody who did not choose one: the login name as far as it can be one, else `local`. */
export function defaultOwner(loginName: string): string {
  const name = nearestName(loginName)
  return isName(name) && !reservedOwners.has(name) ? name : 'local'
}

function isName(name: string): boolean {
  return pattern.test(name) && !name.includes(separator)
}

function refusal(sentence: string, name: string): string {
  const nearest = nearestName(name)
  return `${sentence}: ${rule}${isName(nearest) ? `, such as "${nearest}"` : ''}`
}

function nearestName(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 63)
    .replaceAll(/^-+|-+$/g, '')
}
