import { AccountList, ChangedAccount, NewAccount } from '@carrick/protocol/rest'
import type { z } from 'zod'
import { size } from './archive.ts'
import { ask } from './ask.ts'
import { connectTo } from './connection.ts'
import { print } from './output.ts'
import type { Where } from './where.ts'

interface Flags extends Where {
  json?: boolean
}

/** `carrick accounts create NAME`: the account's ADMIN key is shown now and never again. */
export async function createAccount(nickname: string, flags: Flags): Promise<void> {
  const made = NewAccount.parse(await ask(await connectTo(flags), '/v1/accounts', { nickname }))
  const text =
    `Account "${made.nickname}" is there. This is its ADMIN key, and the only time that it is shown:\n` +
    `FAL_KEY='${made.key_id}:${made.key_secret}'`
  print({ text, json: made }, flags)
}

/** `carrick accounts list`: everybody who has an account, oldest first. */
export async function listAccounts(flags: Flags): Promise<void> {
  const { accounts } = AccountList.parse(await ask(await connectTo(flags), '/v1/accounts'))
  const lines = accounts.map(
    ({ nickname, user_id, created_at, data, monthly_limit: most, spent_this_month: spent }) => [
      nickname,
      user_id,
      created_at,
      ...dataWords(data),
      ...(most === null ? [] : [`this month: ${spent === null ? 'not counted yet' : spent.toFixed(2)} of ${most}`]),
    ],
  )
  print({ text: lines.map((line) => line.join('  ')).join('\n'), json: { accounts } }, flags)
}

function dataWords({
  used_bytes: used,
  limit_bytes: limit,
}: AccountList['accounts'][number]['data']): readonly string[] {
  return limit === null ? [] : [`/data: ${used === null ? 'not measured yet' : size(used)} of ${size(limit)}`]
}

/** `carrick accounts set NAME`: what an account may have, and may spend. */
export async function setAccount(
  nickname: string,
  flags: Flags & { dataQuota?: number | 'default'; monthlyLimit?: number | 'none' },
): Promise<void> {
  const path = `/v1/accounts/${encodeURIComponent(nickname)}`
  const said = {
    ...(flags.dataQuota === undefined ? {} : { data_quota: flags.dataQuota === 'default' ? null : flags.dataQuota }),
    ...(flags.monthlyLimit === undefined
      ? {}
      : { monthly_limit: flags.monthlyLimit === 'none' ? null : flags.monthlyLimit }),
  }
  const changed = ChangedAccount.parse(await ask(await connectTo(flags), path, said, 'PATCH'))
  const words = [quotaWords(changed), limitWords(changed)].filter((each) => each !== '')
  print({ text: `Account "${nickname}" may ${words.join(' and ')}`, json: changed }, flags)
}

type Changed = z.infer<typeof ChangedAccount>

function quotaWords({ data_quota: quota }: Changed): string {
  if (quota === undefined) return ''
  if (quota === null) return 'keep as much in /data as the server lets everybody'
  return quota === 0 ? 'keep any amount in /data' : `keep ${size(quota)} in /data`
}

function limitWords({ monthly_limit: limit, has_prices }: Changed): string {
  if (limit === undefined) return ''
  if (limit === null) return 'spend any amount in a month'
  const never = has_prices ? '' : ', of which nothing is counted: no machine type has a price (`price_per_second`)'
  return `spend ${limit} in a month${never}`
}
