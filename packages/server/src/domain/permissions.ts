import type { Moment } from '../kit/clock.ts'

/**
 * Every permission there is. Each operation names the one it takes; a key holds a set of them. What only looks ends in
 * `:read`, what changes something does not.
 */
export const permissions = [
  'apps:read',
  'apps:write',
  'apps:call',
  'runners:read',
  'runners:write',
  'logs:read',
  'account:read',
  'keys:read',
  'keys:write',
  'accounts:read',
  'accounts:write',
  'environments:read',
  'environments:write',
  'secrets:read',
  'secrets:write',
  'runners:exec',
  'files:read',
  'files:write',
  'storage:upload',
  'kv:read',
  'kv:write',
  'workflows:read',
  'workflows:write',
  'requests:read',
  'metrics:read',
  'events:read',
] as const

export type Permission = (typeof permissions)[number]

/** What an operation may name: a permission, or that it is for everyone. */
export type Access = Permission | 'anyone'

/** What a key is stored with. `*` is everything its account may do, also what later versions add. */
export type Granted = Permission | '*'

const looking = ['apps:read', 'logs:read'] as const
const content = ['files:read', 'workflows:read'] as const
const files = ['files:read', 'files:write'] as const

/** Named sets, as keys are made from them. */
export const presets = {
  ADMIN: ['*'],
  API: ['apps:call', ...looking, 'account:read', 'storage:upload', 'requests:read', 'metrics:read', ...content],
  DEPLOY: ['apps:read', 'apps:write', 'runners:read', 'logs:read', 'account:read', 'storage:upload', ...files],
  READONLY: ['runners:read', ...looking, 'account:read', 'requests:read', 'metrics:read', 'events:read', ...content],
  BILLING: ['account:read', 'metrics:read'],
  COMPUTE: ['runners:read', 'runners:write', 'runners:exec', ...looking, 'account:read', 'metrics:read'],
  SERVERLESS: [
    'apps:write',
    'apps:call',
    ...looking,
    'runners:read',
    'runners:write',
    'runners:exec',
    'account:read',
    'storage:upload',
    'requests:read',
    'metrics:read',
    ...files,
    'kv:read',
    'kv:write',
    'workflows:read',
    'workflows:write',
  ],
  AGENT: ['apps:read', 'apps:call', 'account:read', 'storage:upload', 'workflows:read'],
  RUNNER: ['apps:call', 'account:read', 'storage:upload', 'kv:read', 'kv:write'],
} as const satisfies Record<string, readonly Granted[]>

/** What a token of a key may do at most: short-lived, and sent to where files are. */
export const tokenPermissions: readonly Permission[] = ['storage:upload', 'kv:read', 'kv:write']

/** What only the first account may do, because it is about everybody. */
const operatorOnly: ReadonlySet<Permission> = new Set(['accounts:read', 'accounts:write'])

/** What a key may do: what it was granted, within what its account may do. */
export function held(granted: readonly Granted[], { operator }: { readonly operator: boolean }): Set<Permission> {
  const named = granted.includes('*') ? permissions : granted.filter(isPermission)
  return new Set(named.filter((permission) => operator || !operatorOnly.has(permission)))
}

/** Who is asking: an account, by which key, allowed what. */
export interface Caller {
  readonly accountId: string
  readonly nickname: string
  readonly keyId: string
  readonly permissions: ReadonlySet<Permission>
  /** Whether the account is the first one, which looks after the server. */
  readonly operator?: boolean
  /** Until when, for one who has shown a token that a key was exchanged for. */
  readonly until?: Moment
  /** The apps that such a token is for; absent for all. */
  readonly callsOnly?: readonly string[]
}

/** Whether an operation is open to this caller; undefined is somebody without a valid key. */
export function mayCall(caller: Caller | undefined, access: Access): boolean {
  return access === 'anyone' || (caller?.permissions.has(access) ?? false)
}

export function isPermission(name: unknown): name is Permission {
  return permissions.some((permission) => permission === name)
}

export function isGranted(name: unknown): name is Granted {
  return name === '*' || isPermission(name)
}
