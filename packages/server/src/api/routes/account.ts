import { AccountRequest } from '@carrick/protocol/rest'
import type { AccountList, CurrentUser, NewAccount, ServerStatus, Teams } from '@carrick/protocol/rest'
import { myAccounts, whoAmI } from '../account.ts'
import { createAccount, listAccounts } from '../accounts.ts'
import { serverStatus } from '../status.ts'
import { iso, route } from './route.ts'

/** Who is asking, who else is here, and how the server is. */
export const accountRoutes = [
  route('GET', '/users/current', whoAmI, {
    read: () => ({}),
    show: ({ id, nickname, fullName, deployCheck }): CurrentUser => ({
      user_id: id,
      nickname,
      full_name: fullName,
      is_personal: true,
      is_locked: false,
      ...(deployCheck ? { require_deploy_check: true } : {}),
    }),
  }),

  route('GET', '/users/teams', myAccounts, {
    read: () => ({}),
    show: (accounts): Teams =>
      accounts.map(({ id, nickname, fullName }) => ({
        user_id: id,
        nickname,
        full_name: fullName,
        is_personal: true,
        is_org: false,
        lock_reason: null,
      })),
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
