import { z } from 'zod'
import { CarrickError } from '../domain/errors.ts'
import { accountByNickname } from '../store/accounts.ts'
import { operation } from './operation.ts'

/** Whose key this is. */
export const whoAmI = operation({ permission: 'account:read', input: z.object({}) }, async (deps, caller) => {
  const account = await deps.store.read(accountByNickname(caller.nickname))
  if (account === undefined) throw new CarrickError('unauthenticated', 'The account of this key is gone')
  return account
})
