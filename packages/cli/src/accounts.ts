import { AccountList, ChangedAccount, NewAccount } from '@carrick/protocol/rest'
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
  const lines = accounts.map(({ nickname, user_id, created_at, data: { used_bytes: used, limit_bytes: limit } }) => [
    nickname,
    user_id,
    created_at,
    ...(limit === null ? [] : [`/data: ${used === null ? 'not measured yet' : size(used)} of ${size(limit)}`]),
  ])
  print({ text: lines.map((line) => line.join('  ')).join('\n'), json: { accounts } }, flags)
}

/** `carrick accounts set NAME`: what an account may have. */
export async function setAccount(nickname: string, flags: Flags & { dataQuota: number | null }): Promise<void> {
  const path = `/v1/accounts/${encodeURIComponent(nickname)}`
  const changed = ChangedAccount.parse(
    await ask(await connectTo(flags), path, { data_quota: flags.dataQuota }, 'PATCH'),
  )
  const quota = changed.data_quota
  const much =
    quota === null
      ? 'as much in /data as the server lets everybody'
      : quota === 0
        ? 'any amount in /data'
        : `${size(quota)} in /data`
  print({ text: `Account "${nickname}" may keep ${much}`, json: changed }, flags)
}
