import { z } from 'zod'
import type { Credentials } from '../../access/keyring.ts'
import { CarrickError } from '../../domain/errors.ts'
import { beyond, grantOf } from '../../domain/grant.ts'
import type { Caller, Granted } from '../../domain/permissions.ts'
import { keysOfAccount, liveKeyById, revokeOwnKey } from '../../store/keys.ts'
import type { Deps } from '../deps.ts'
import { operation } from '../operation.ts'

const Alias = z
  .string()
  .max(255)
  // oxlint-disable-next-line no-control-regex -- they have no place in a description that terminals show
  .regex(/^[^\u0000-\u001f\u007f]*$/, 'must be one line without control characters')

/** Makes a key of the caller's account. Its secret is in the answer and nowhere else. */
export const createKey = operation(
  {
    permission: 'keys:write',
    input: z.object({
      preset: z.string().optional(),
      permissions: z.array(z.string()).max(1_000).optional(),
      scope: z.string().optional(),
      alias: Alias.default(''),
    }),
  },
  async (deps, caller, { alias, ...asked }): Promise<Credentials> => {
    const grant = grantOf(asked)
    await requireNoMoreThanHeld(deps, caller, grant)
    return deps.keyring.mint(caller.accountId, grant, alias)
  },
  {
    action: 'create_key',
    about: ({ alias, ...asked }, made) => ({ subject: made?.keyId ?? '', alias, ...asked }),
  },
)

/** The live keys that the caller's account made, without their secrets. */
export const listKeys = operation({ permission: 'keys:read', input: z.object({}) }, async (deps, caller) =>
  deps.store.read(keysOfAccount(caller.accountId)),
)

/** Ends a key of the caller's account: it is nobody's when this answers. Any may be revoked, also the caller's own. */
export const revokeKey = operation(
  { permission: 'keys:write', input: z.object({ id: z.string() }) },
  async (deps, caller, { id }): Promise<void> => {
    if (!(await deps.store.commit(revokeOwnKey(caller.accountId, id, deps.clock.now())))) throw unknownKey(id)
    await deps.keyring.refresh()
  },
  { action: 'revoke_key', about: ({ id }) => ({ subject: id }) },
)

async function requireNoMoreThanHeld(deps: Deps, caller: Caller, grant: readonly Granted[]): Promise<void> {
  const maker = await deps.store.read(liveKeyById(caller.keyId))
  const missing = beyond(grant, caller, maker?.permissions ?? [])
  if (missing.length === 0) return
  const what = missing.map((one) => (one === '*' ? 'everything' : `"${one}"`)).join(', ')
  throw new CarrickError(
    'forbidden',
    `Insufficient permissions: a key cannot grant more than it holds, and the key ${caller.keyId} does not hold ${what}`,
  )
}

const unknownKey = (id: string) =>
  new CarrickError('key_not_found', `Key "${id}" not found: \`fal keys list\` shows those that there are`)
