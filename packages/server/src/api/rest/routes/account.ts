import {
  AccountChange,
  AccountList,
  AccountRequest,
  BillableUnits,
  ChangedAccount,
  NewAccount,
  ServerStatus,
} from '@carrick/protocol/rest'
import type { BillingDetails, CurrentUser, Teams, UnitsReported } from '@carrick/protocol/rest'
import { myAccounts, whoAmI } from '../../account/account.ts'
import { createAccount, listAccounts, setAccount } from '../../account/accounts.ts'
import { reportBillableUnits } from '../../account/billing.ts'
import { serverStatus } from '../../account/status.ts'
import { shownUsage } from './file-words.ts'
import { described } from './described.ts'
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

  route('GET', '/billing/user_details', whoAmI, {
    read: () => ({}),
    show: ({ id }): BillingDetails => ({ user_id: id, is_paying: true, is_locked: false }),
  }),

  route('POST', '/requests/billable-units/:id', reportBillableUnits, {
    read: async ({ params, json }) => ({
      requestId: params['id'] ?? '',
      units: (await json(BillableUnits)).billable_units,
    }),
    show: (reported): UnitsReported => reported,
  }),

  described('GET', '/v1/status', serverStatus, {
    summary: 'How the server is, and how much of the account is on it',
    answer: ServerStatus,
    read: () => ({}),
    show: ({ freeBytes, withoutFreezing = null, maintenance, ...facts }) => ({
      ...facts,
      disk_free_bytes: freeBytes,
      without_freezing: withoutFreezing,
      maintenance: maintenance.map(({ machineId, maintenance: { since, deadline, message }, runners }) => ({
        machine: machineId,
        since: iso(since),
        deadline: deadline === undefined ? null : iso(deadline),
        message: message ?? null,
        runners,
      })),
    }),
  }),

  described('GET', '/v1/accounts', listAccounts, {
    summary: 'Everybody who has an account on this server, oldest first',
    answer: AccountList,
    read: () => ({}),
    show: (accounts) => ({
      accounts: accounts.map(({ id, nickname, createdAt, dataQuota, data, monthlyLimit, spent }) => ({
        user_id: id,
        nickname,
        created_at: iso(createdAt),
        data_quota: dataQuota ?? null,
        data: shownUsage(data),
        monthly_limit: monthlyLimit ?? null,
        spent_this_month: spent ?? null,
      })),
    }),
  }),

  described('PATCH', '/v1/accounts/:name', setAccount, {
    summary: 'Says what an account may keep in /data, and what it may spend in a month',
    body: AccountChange,
    answer: ChangedAccount,
    read: ({ params, body }) => ({
      nickname: params['name'] ?? '',
      dataQuota: body.data_quota,
      monthlyLimit: body.monthly_limit,
    }),
    show: ({ nickname, dataQuota, monthlyLimit, isPriced }) => ({
      nickname,
      ...(dataQuota === undefined ? {} : { data_quota: dataQuota }),
      ...(monthlyLimit === undefined ? {} : { monthly_limit: monthlyLimit }),
      has_prices: isPriced,
    }),
  }),

  described('POST', '/v1/accounts', createAccount, {
    summary: 'Makes an account and its first key, whose secret is in the answer alone',
    body: AccountRequest,
    answer: NewAccount,
    read: ({ body }) => body,
    show: ({ account, credentials }) => ({
      user_id: account.id,
      nickname: account.nickname,
      key_id: credentials.keyId,
      key_secret: credentials.secret,
    }),
  }),
]
