import { CarrickError } from './errors.ts'
import { isPermission, permissions, presets, type Caller, type Granted, type Permission } from './permissions.ts'

/** What a new key is asked for, in one of three ways. None of them is how old clients say ADMIN. */
export interface AskedGrant {
  readonly preset?: string | undefined
  readonly permissions?: readonly string[] | undefined
  readonly scope?: string | undefined
}

/** The sets that clients may ask for, by the names that they have for them. */
const grantable = {
  FULL: presets.ADMIN,
  API: presets.API,
  DEPLOY: presets.DEPLOY,
  READONLY: presets.READONLY,
  BILLING: presets.BILLING,
  COMPUTE: presets.COMPUTE,
  SERVERLESS: presets.SERVERLESS,
  AGENT: presets.AGENT,
} as const satisfies Record<string, readonly Granted[]>

/** The two sets that clients knew before there were presets. */
const scopes = { ADMIN: presets.ADMIN, API: presets.API } as const satisfies Record<string, readonly Granted[]>

/** What other servers of this protocol call some of our permissions. */
const otherNames: Readonly<Record<string, Permission>> = {
  'models:requests:submit': 'apps:call',
  'serverless:apps:run': 'apps:call',
  'account:settings:read': 'account:read',
}

/** What a key is granted that was asked for like this. Throws `bad_request` with the name that nobody knows. */
export function grantOf({ preset, permissions: names, scope }: AskedGrant): readonly Granted[] {
  if ([preset, names, scope].filter((way) => way !== undefined).length > 1) {
    throw new CarrickError(
      'bad_request',
      'A key is made from a preset, from permissions or from a scope: send one of them',
    )
  }
  if (names !== undefined) return named(names)
  if (preset !== undefined) return setNamed(preset, grantable, 'preset')
  return setNamed(scope ?? 'ADMIN', scopes, 'scope')
}

/** What this caller cannot hand on, because it does not hold it itself. */
export function beyond(asked: readonly Granted[], caller: Caller, makerHas: readonly Granted[]): readonly Granted[] {
  return asked.filter((one) => (one === '*' ? !makerHas.includes('*') : !caller.permissions.has(one)))
}

/** The scope by which old clients would know such a key; undefined for a key that is neither. */
export function scopeOf(granted: readonly Granted[]): keyof typeof scopes | undefined {
  if (granted.includes('*')) return 'ADMIN'
  return isSame(granted, scopes.API) ? 'API' : undefined
}

function isSame(one: readonly Granted[], other: readonly Granted[]): boolean {
  return one.every((each) => other.includes(each)) && other.every((each) => one.includes(each))
}

function named(names: readonly string[]): readonly Permission[] {
  if (names.length === 0) throw new CarrickError('bad_request', 'The list of permissions is empty: name at least one')
  return [...new Set(names.map(permissionNamed))]
}

function permissionNamed(name: string): Permission {
  if (isPermission(name)) return name
  const ours = Object.hasOwn(otherNames, name) ? otherNames[name] : undefined
  if (ours !== undefined) return ours
  throw new CarrickError('bad_request', `"${name}" is not a permission. There are: ${permissions.join(', ')}`)
}

function setNamed(name: string, sets: Readonly<Record<string, readonly Granted[]>>, kind: string): readonly Granted[] {
  const found = Object.hasOwn(sets, name) ? sets[name] : undefined
  if (found !== undefined) return found
  throw new CarrickError('bad_request', `"${name}" is not a ${kind}. There are: ${Object.keys(sets).join(', ')}`)
}
