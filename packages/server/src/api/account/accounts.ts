import { z } from 'zod'
import type { Credentials } from '../../access/keyring.ts'
import { CarrickError } from '../../domain/errors.ts'
import { checkOwner } from '../../domain/names.ts'
import { presets } from '../../domain/permissions.ts'
import { uuidv7 } from '../../kit/ids.ts'
import {
  addAccount,
  allAccounts,
  dataQuotas,
  monthlyLimits,
  setDataQuota,
  setMonthlyLimit,
} from '../../store/accounts.ts'
import type { Account } from '../../store/accounts.ts'
import { together } from '../../store/sql.ts'
import { operation } from '../operation.ts'

export interface NewAccount {
  readonly account: Account
  /** Its first key, for everything in it. */
  readonly credentials: Credentials
}

/** Makes an account and its first key, both or neither. */
export const createAccount = operation(
  { permission: 'accounts:write', input: z.object({ nickname: z.string() }) },
  async (deps, _caller, { nickname }): Promise<NewAccount> => {
    checkOwner(nickname)
    const account = { id: uuidv7(deps.clock), nickname, fullName: nickname, createdAt: deps.clock.now() }
    const { credentials, write } = deps.keyring.prepare(account.id, presets.ADMIN, 'first key')
    if (!(await deps.store.commit(together(addAccount(account), write)))) {
      throw new CarrickError('account_exists', `There is an account "${nickname}" already: choose another name`)
    }
    await deps.keyring.refresh()
    return { account, credentials }
  },
  { action: 'create_account', about: ({ nickname }) => ({ subject: nickname }) },
)

/** Everybody who has an account on this server, and how much each may keep in `/data` and does. */
export const listAccounts = operation({ permission: 'accounts:read', input: z.object({}) }, async (deps) => {
  const own = new Map((await deps.store.read(dataQuotas())).map((account) => [account.id, account.own]))
  const all = await deps.store.read(allAccounts())
  const limits = new Map((await deps.store.read(monthlyLimits())).map(({ id, limit }) => [id, limit]))
  return all.map((account) => ({
    ...account,
    dataQuota: own.get(account.id),
    data: deps.quotas.usageOf(account.id),
    monthlyLimit: limits.get(account.id),
    spent: deps.budgets.of(account.id)?.spent,
  }))
})

/** Gives an account its own limit for `/data`, or takes it back; says what it may spend in a month, or any amount. What is left out stays. */
export const setAccount = operation(
  {
    permission: 'accounts:write',
    input: z.object({
      nickname: z.string(),
      dataQuota: z.int().min(0).nullable().optional(),
      monthlyLimit: z.number().nullable().optional(),
    }),
  },
  async (deps, _caller, { nickname, dataQuota, monthlyLimit }) => {
    checkLimit(monthlyLimit)
    const writes = [
      ...(dataQuota === undefined ? [] : [setDataQuota(nickname, dataQuota ?? undefined)]),
      ...(monthlyLimit === undefined ? [] : [setMonthlyLimit(nickname, monthlyLimit ?? undefined)]),
    ]
    const [first, ...others] = writes
    if (first === undefined) throw new CarrickError('bad_request', 'Nothing was said that is to be changed')
    const isPriced = [...deps.hardware.types.values()].some(({ pricePerSecond }) => pricePerSecond !== undefined)
    if (await deps.store.commit(together(first, ...others))) return { nickname, dataQuota, monthlyLimit, isPriced }
    throw new CarrickError(
      'invalid_value',
      `There is no account "${nickname.slice(0, 128)}": \`carrick accounts list\` shows all`,
    )
  },
  {
    action: 'set_account',
    about: ({ nickname, dataQuota, monthlyLimit }) => ({
      subject: nickname,
      ...(dataQuota === undefined ? {} : { dataQuota }),
      ...(monthlyLimit === undefined ? {} : { monthlyLimit }),
    }),
  },
)

function checkLimit(limit: number | null | undefined): void {
  if (limit === null || limit === undefined || (Number.isFinite(limit) && limit >= 0)) return
  throw new CarrickError('invalid_value', `The monthly limit is ${limit}, but must be an amount of 0 or more`)
}
