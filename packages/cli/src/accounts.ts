import { AccountList, NewAccount } from '@carrick/protocol/rest'
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
  const lines = accounts.map(({ nickname, user_id, created_at }) => `${nickname}  ${user_id}  ${created_at}`)
  print({ text: lines.join('\n'), json: { accounts } }, flags)
}
