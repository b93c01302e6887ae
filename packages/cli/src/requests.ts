import {
  AppRequests,
  PlatformApps,
  RequestDetail,
  RetriedRequest,
  type ListedRequest,
  type RequestTimeline,
} from '@carrick/protocol/platform'
import { ask } from './ask.ts'
import { appAddress } from './app-address.ts'
import { connectTo, type Connection } from './connection.ts'
import { print } from './output.ts'
import { table } from './table.ts'
import type { Where } from './where.ts'

interface Flags extends Where {
  json?: boolean
}

interface ListFlags extends Flags {
  app?: string
  status?: string
  dead?: boolean
  since?: string
  until?: string
  caller?: string
  key?: string
  endpoint?: string
  error?: string
  limit: string
}

/** `carrick requests list`: of one app, or the first ones of all. */
export async function listRequests(flags: ListFlags): Promise<void> {
  const connection = await connectTo(flags)
  const most = Number(flags.limit)
  if (!Number.isInteger(most) || most < 1) throw new Error('--limit must be a whole number, 1 or more')
  const apps = flags.app === undefined ? await appsOf(connection) : [appAddress(flags.app, connection)]
  const found: ListedRequest[] = []
  for (const app of apps) found.push(...(await requestsOf(connection, app, flags, most)))
  const requests = (apps.length > 1 ? found.toSorted(inOrder) : found).slice(0, most)
  print({ text: requests.length === 0 ? 'No such requests' : listing(requests), json: { requests } }, flags)
}

/** `carrick requests show ID`. */
export async function showRequest(id: string, flags: Flags): Promise<void> {
  const detail = RequestDetail.parse(await ask(await connectTo(flags), addressOf(id)))
  print({ text: sections(detail).join('\n\n'), json: detail }, flags)
}

/** `carrick requests retry ID…`: one after the other; the first that is refused ends it. */
export async function retryRequests(ids: readonly string[], flags: Flags): Promise<void> {
  const connection = await connectTo(flags)
  for (const id of ids) {
    const retried = RetriedRequest.parse(await ask(connection, `${addressOf(id)}/retry`, {}))
    const { request_id, endpoint_id, retried_from } = retried
    print({ text: `${retried_from} is sent again to ${endpoint_id}, as ${request_id}`, json: retried }, flags)
  }
}

const addressOf = (id: string): string => `/v1/serverless/requests/${encodeURIComponent(id)}`
const longestPage = 1_000

/** Pages may be short where few requests are meant, so they are read until there are enough. */
async function requestsOf(
  connection: Connection,
  app: string,
  flags: ListFlags,
  most: number,
): Promise<ListedRequest[]> {
  const found: ListedRequest[] = []
  const query = new URLSearchParams({ ...filterIn(flags), limit: String(Math.min(most, longestPage)) })
  for (;;) {
    const page = AppRequests.parse(await ask(connection, `/v1/serverless/apps/${app}/requests?${query.toString()}`))
    found.push(...page.requests)
    if (page.next_cursor === null || found.length >= most) return found.slice(0, most)
    query.set('cursor', page.next_cursor)
  }
}

function filterIn({ status, dead, since, until, caller, key, endpoint, error }: ListFlags): Record<string, string> {
  if (dead === true && status !== undefined) throw new Error('--dead is a status: leave one of --dead and --status out')
  const filter = { status: dead === true ? 'dead' : status, since, until, caller, key, endpoint, error }
  return Object.fromEntries(
    Object.entries(filter).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
}

async function appsOf(connection: Connection): Promise<readonly string[]> {
  const found: string[] = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const query = new URLSearchParams({ limit: '100', cursor })
    const page = PlatformApps.parse(await ask(connection, `/v1/serverless/apps?${query.toString()}`))
    found.push(...page.apps.map(({ endpoint_id }) => appAddress(endpoint_id, connection)))
    cursor = page.next_cursor
  }
  return found
}

/** As the server orders those of one app. */
function inOrder(one: ListedRequest, other: ListedRequest): number {
  const isOpen = ({ ended_at }: ListedRequest) => (ended_at === null ? 1 : 0)
  const moment = ({ ended_at, sent_at }: ListedRequest) => Date.parse(ended_at ?? sent_at)
  return isOpen(other) - isOpen(one) || moment(other) - moment(one)
}

function listing(requests: readonly ListedRequest[]): string {
  const head = ['REQUEST', 'ENDPOINT', 'STATUS', 'ATTEMPTS', 'PRIORITY', 'CALLER', 'SENT', 'ENDED', 'ERROR']
  const rows = requests.map((request) => [
    request.request_id,
    request.endpoint_id,
    statusOf(request),
    String(request.attempts),
    request.priority,
    shortened(request.caller ?? '-'),
    request.sent_at,
    request.ended_at ?? '-',
    request.error_type ?? '',
  ])
  return table([head, ...rows])
}

/** The word of the status answer, or how it ended. */
function statusOf({ status, status_code, error_type, dead }: ListedRequest): string {
  if (status !== 'COMPLETED') return status
  if (dead) return `DEAD ${status_code}`
  if (error_type === 'client_cancelled') return 'CANCELLED'
  return (status_code ?? 0) >= 400 ? `FAILED ${status_code}` : `COMPLETED ${status_code}`
}

/** Other accounts' callers are told apart by the beginning of a long hash. */
const shortened = (caller: string): string => (caller.length > 36 ? `${caller.slice(0, 12)}…` : caller)

/** What `show` says, a paragraph for each subject. */
function sections(detail: RequestDetail): readonly string[] {
  return [facts(detail), attempts(detail), ...(detail.timeline ? [timeline(detail.timeline)] : [])]
}

function facts(detail: RequestDetail): string {
  const { input } = detail
  const lines: readonly (readonly [string, string | null])[] = [
    ['request', detail.request_id],
    ['endpoint', detail.endpoint_id],
    ['status', statusOf(detail)],
    ['error', detail.error === null ? null : `${detail.error_type}: ${detail.error}`],
    ['priority', detail.priority],
    ['caller', detail.caller],
    ['key', detail.key_id],
    ['input', input ? `${input.bytes} bytes to ${input.path}` : 'kept no longer'],
    ['sent', detail.sent_at],
    ['started', detail.started_at],
    ['cancel asked', detail.cancel_requested_at],
    ['ended', detail.ended_at],
    ['sends again', detail.retried_from],
    ['sent again as', detail.retries.length === 0 ? null : detail.retries.join(' ')],
    ['log lines', `POST ${detail.logs}`],
  ]
  return table(lines.flatMap(([name, value]) => (value === null ? [] : [[name, value]])))
}

function attempts({ attempt_list }: RequestDetail): string {
  if (attempt_list.length === 0) return 'No attempt has started'
  const head = ['ATTEMPT', 'RUNNER', 'STARTED', 'ENDED', 'HOW']
  const rows = attempt_list.map(({ number, runner_id, started_at, ended_at, status_code, error_type }) => [
    String(number),
    runner_id,
    started_at,
    ended_at ?? '-',
    [status_code ?? '', error_type ?? ''].join(' ').trim(),
  ])
  return table([head, ...rows])
}

const phases = [
  ['queued', 'queued_ms'],
  ['waiting for machine', 'waiting_for_machine_ms'],
  ['starting', 'starting_ms'],
  ['set-up', 'set_up_ms'],
  ['running', 'running_ms'],
  ['backing off', 'backing_off_ms'],
  ['storing', 'storing_ms'],
] as const

/** Where its time went; of several attempts each beside the whole. */
function timeline(all: RequestTimeline): string {
  const each = all.attempts.length > 1 ? all.attempts : []
  const head = ['TIME', 'MS', ...each.map(({ number }) => `ATTEMPT ${number}`)]
  const rows = phases.map(([name, field]) => [name, ...[all, ...each].map((part) => String(part[field]))])
  return table([head, ...rows, ['in all', String(all.total_ms), ...each.map(() => '')]])
}
