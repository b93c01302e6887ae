import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import type { Caller } from '../../domain/permissions.ts'
import { accountByNickname } from '../../store/accounts.ts'
import type { Account } from '../../store/accounts.ts'
import type { Deps } from '../deps.ts'
import { operation } from '../operation.ts'

/** Whose key this is, and what clients of this server are asked to do. */
export const whoAmI = operation({ permission: 'account:read', input: z.object({}) }, async (deps, caller) => ({
  ...(await accountOf(deps, caller)),
  deployCheck: deps.server.deployCheck,
}))

/** The accounts that a key can act for: its own, for a key belongs to one. */
export const myAccounts = operation({ permission: 'account:read', input: z.object({}) }, async (deps, caller) => [
  await accountOf(deps, caller),
])

async function accountOf({ store }: Deps, { nickname }: Caller): Promise<Account> {
  const account = await store.read(accountByNickname(nickname))
  if (account === undefined) throw new CarrickError('unauthenticated', 'The account of this key is gone')
  return account
}
