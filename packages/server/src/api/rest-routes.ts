import { logLevels } from '@carrick/protocol/words'
import { AccountRequest } from '@carrick/protocol/rest'
import type {
  AccountList,
  CurrentUser,
  LogPage,
  NewAccount,
  QueueFlushed,
  QueueSize,
  RunnerWindow,
  ServerStatus,
} from '@carrick/protocol/rest'
import type { z } from 'zod'
import type { Access, Caller } from '../domain/permissions.ts'
import type { Moment } from '../kit/clock.ts'
import type { LogLine } from '../logs/log-store.ts'
import { authorize } from '../access/authorize.ts'
import { whoAmI } from './account.ts'
import { createAccount, listAccounts } from './accounts.ts'
import { appPage } from './app-page.ts'
import { appMetadata } from './apps.ts'
import type { Deps } from './deps.ts'
import { EventStream } from './event-stream.ts'
import { followLogs, logHistory } from './logs.ts'
import type { Attention, Operation } from './operation.ts'
import { flushQueue, queueSize } from './queues.ts'
import { runnerWindow } from './runners.ts'
import { serverStatus } from './status.ts'

/** What the door hands on of a request. */
interface Request {
  readonly query: Readonly<Record<string, string>>
  readonly params: Readonly<Record<string, string>>
  /** As it was sent, percent signs and all. */
  readonly path: string
  readonly baseUrl: string
  /** What the body holds, which is read and checked now. */
  readonly json: <Schema extends z.ZodType>(schema: Schema) => Promise<z.output<Schema>>
}

/** One address: the permission of the operation behind it, and how it is called. A text in its answer is a page. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  readonly permission: Access
  readonly call: (
    deps: Deps,
    caller: Caller | undefined,
    request: Request,
    attention: Attention,
  ) => Promise<object | string>
}

/** Every address that there is. */
export const routes: readonly Route[] = [
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

  route('GET', '/runners/:id', runnerWindow, {
    read: ({ params }) => ({ id: params['id'] ?? '' }),
    show: ({ startedAt, endedAt }): RunnerWindow => ({ started_at: iso(startedAt), ended_at: isoOrNull(endedAt) }),
  }),

  route('POST', '/logs/history', logHistory, {
    read: ({ query }) => ({ ...logWindow(query), runnerId: said(query['job_id']), limit: said(query['page_size']) }),
    show: ({ lines, nextUntil }): LogPage => ({ items: lines.map(logItem), next_until: isoOrNull(nextUntil) }),
  }),

  route('POST', '/logs/stream', followLogs, {
    read: ({ query }) => ({ ...logWindow(query), runnerId: said(query['job_id']) ?? '' }),
    show: (batches) => new EventStream(shown(batches, logItem)),
  }),

  route('GET', '/applications/:owner/:name/metadata', appMetadata, {
    read: ({ params }) => named(params),
    show: (metadata) => metadata,
  }),

  route('GET', '/applications/:owner/:name/queue', queueSize, {
    read: ({ params, query }) => ({ ...named(params), byUser: query['by_user'] === 'true' }),
    show: ({ size, byUser }): QueueSize => ({ size, ...(byUser === undefined ? {} : { by_user: byUser }) }),
  }),

  route('DELETE', '/applications/:owner/:name/queue', flushQueue, {
    read: ({ params, query }) => ({ ...named(params), user: said(query['caller_user_id']) }),
    show: (cancelled): QueueFlushed => ({ cancelled }),
  }),

  route('GET', '/v1/status', serverStatus, {
    read: () => ({}),
    show: ({ freeBytes, ...facts }): ServerStatus => ({ ...facts, disk_free_bytes: freeBytes }),
  }),

  {
    method: 'GET',
    path: '/dashboard/apps/:owner/:name/*',
    permission: 'anyone',
    call: async (_deps, _caller, { path, baseUrl }) => {
      const [, , , owner = '', name = '', ...more] = path.split('/')
      return appPage({ owner, name, path: more.join('/'), baseUrl })
    },
  },
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

function route<Input, Output>(
  method: Route['method'],
  path: string,
  operation: Operation<Input, Output>,
  {
    read,
    show,
  }: { readonly read: (request: Request) => Input | Promise<Input>; readonly show: (output: Output) => object },
): Route {
  const call: Route['call'] = async (deps, caller, request, attention) => {
    authorize(caller, operation.permission) // before anything that they sent is read
    return show(await operation(deps, caller, await read(request), attention))
  }
  return { method, path, permission: operation.permission, call }
}

function named(params: Request['params']) {
  return { owner: params['owner'] ?? '', name: params['name'] ?? '' }
}

function logWindow(query: Request['query']) {
  return { search: said(query['search']), since: said(query['since']), until: said(query['until']) }
}

function logItem({ at, message, level }: LogLine): LogPage['items'][number] {
  return { timestamp: iso(at), message, level: logLevels[level] }
}

async function* shown<Item>(
  batches: AsyncGenerator<readonly Item[]>,
  show: (item: Item) => object,
): AsyncGenerator<readonly object[]> {
  for await (const batch of batches) yield batch.map(show)
}

/** An empty query parameter says nothing. */
const said = (text: string | undefined): string | undefined => (text === '' ? undefined : text)
const iso = (moment: Moment): string => new Date(moment).toISOString()
const isoOrNull = (moment: Moment | undefined): string | null => (moment === undefined ? null : iso(moment))
