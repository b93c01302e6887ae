import { AccountRequest } from '@carrick/protocol/rest'
import type { AccountList, CurrentUser, NewAccount, ServerStatus } from '@carrick/protocol/rest'
import { whoAmI } from '../account.ts'
import { createAccount, listAccounts } from '../accounts.ts'
import { serverStatus } from '../status.ts'
import { iso, route } from './route.ts'

/** Who is asking, who else is here, and how the server is. */
export const accountRoutes = [
  route('GET', '/users/current', whoAmI, {
    read: () => ({}),
    show: ({ id, nickname, fullName }): CurrentUser => ({
      user_id: id,
      nickname,
      full_name: fullName,
      is_personal: true,
      is_locked: false,
    }),
  }),

  route('GET', '/v1/status', serverStatus, {
    read: () => ({}),
    show: ({ freeBytes, ...facts }): ServerStatus => ({ ...facts, disk_free_bytes: freeBytes }),
  }),

  route('GET', '/v1/accounts', listAccounts, {
    read: () => ({}),
    show: (accounts): AccountList => ({
      accounts: accounts.map(({ id, nickname, createdAt }) => ({ user_id: id, nickname, created_at: iso(createdAt) })),
    }),
  }),

  route('POST', '/v1/accounts', createAccount, {
    read: ({ json }) => json(AccountRequest),
    show: ({ account, credentials }): NewAccount => ({
      user_id: account.id,
      nickname: account.nickname,
      key_id: credentials.keyId,
      key_secret: credentials.secret,
    }),
  }),
]
