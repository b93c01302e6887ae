/** Every permission there is. Each operation names the one it takes; a key holds a set of them. */
export const permissions = [
  'apps:read',
  'apps:write',
  'apps:call',
  'runners:read',
  'runners:write',
  'logs:read',
  'account:read',
  'environments:read',
  'environments:write',
  'secrets:read',
  'secrets:write',
] as const

export type Permission = (typeof permissions)[number]

/** What an operation may name: a permission, or that it is for everyone. */
export type Access = Permission | 'anyone'

/** Named sets, as keys are made from them. */
export const presets = {
  ADMIN: permissions,
  API: ['apps:call', 'apps:read', 'logs:read', 'account:read'],
  RUNNER: ['apps:call', 'account:read'],
} as const satisfies Record<string, readonly Permission[]>

/** Who is asking: an account, by which key, allowed what. */
export interface Caller {
  readonly accountId: string
  readonly nickname: string
  readonly keyId: string
  readonly permissions: ReadonlySet<Permission>
}

/** Whether an operation is open to this caller; undefined is somebody without a valid key. */
export function mayCall(caller: Caller | undefined, access: Access): boolean {
  return access === 'anyone' || (caller?.permissions.has(access) ?? false)
}

export function isPermission(name: unknown): name is Permission {
  return permissions.some((permission) => permission === name)
}
