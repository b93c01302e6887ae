import { CarrickError } from '../domain/errors.ts'
import { shownTimeline } from '../domain/request-timeline.ts'
import type { Caller } from '../domain/permissions.ts'
import { assertNever } from '../kit/assert-never.ts'
import type { LatestRequest } from '../home/latest-requests.ts'
import { timelineOf } from '../store/timelines.ts'
import { owns } from './access.ts'
import { json } from './answers.ts'
import { connectionOf } from './connection.ts'
import type { Exchange, GatewayDeps } from './deps.ts'
import { linesOf, type LogEntry } from './log-entries.ts'
import { questioner, visibleRequest, type VisibleRequest } from './lookup.ts'
import { wantsLogs, wantsTimeline } from './query.ts'
import type { RequestRoute } from './route.ts'
import { requestUrls, type RequestUrls } from './urls.ts'

/** A request's state as the wire shows it. There is no word for failure: that shows in the result. */
export interface Status extends RequestUrls {
  readonly status: 'IN_QUEUE' | 'IN_PROGRESS' | 'COMPLETED'
  readonly request_id: string
  readonly logs: readonly LogEntry[] | null
  readonly metrics: { readonly inference_time?: number | null }
  readonly queue_position?: number
  readonly error?: string
  readonly error_type?: string
}

/** What can be said about a request now; `seen` is absent while the queue in memory knows all that is asked. */
export interface Look {
  readonly status: Status
  readonly seen?: VisibleRequest
}

export async function answerStatus(deps: GatewayDeps, exchange: Exchange, route: RequestRoute): Promise<void> {
  const caller = questioner(deps, exchange, route)
  const look = await lookAt(deps, exchange, route, caller)
  if (look === undefined) return json(exchange.res, 404, { status: 'NOT_FOUND' })
  const logs = wantsLogs(route.query) && look.seen ? await linesOf(deps.logs, look.seen) : null
  const timeline = wantsTimeline(route.query) ? await timelineOf(deps.store, route.requestId, deps.clock.now()) : null
  json(exchange.res, look.status.status === 'COMPLETED' ? 200 : 202, {
    ...look.status,
    logs,
    ...(timeline && { timeline: shownTimeline(timeline) }),
  })
}

/** Clients ask this ten times a second, so a request that waits is answered for without a read. */
export async function lookAt(
  deps: GatewayDeps,
  { req }: Exchange,
  route: RequestRoute,
  caller: Caller | undefined,
): Promise<Look | undefined> {
  const { requestId, alias } = route
  const connection = connectionOf(req)
  const common = (app: RequestRoute['alias']) => ({
    request_id: requestId,
    ...requestUrls(connection, deps.names(), app, requestId),
    logs: null,
  })
  const named = deps.apps.find(alias.owner, alias.name)
  if (named && (named.app.authMode === 'public' || owns(caller, named))) {
    const position = deps.homes.of(named.app.id).positionOf(requestId)
    if (position !== undefined) return { status: waiting(common(named.app), position) }
  }
  const seen = await visibleRequest(deps, caller, route)
  if (seen === undefined) return undefined
  const { request, known } = seen
  const position = () => deps.homes.of(known.app.id).positionOf(requestId) ?? 0
  return { seen, status: statusOf(request, common(known.app), position) }
}

/** Its place in the queue of the app that the path names; undefined when it does not wait there. */
export function placeOf({ apps, homes }: GatewayDeps, { alias, requestId }: RequestRoute): number | undefined {
  const named = apps.find(alias.owner, alias.name)
  return named && homes.of(named.app.id).positionOf(requestId)
}

type Common = Pick<Status, 'request_id' | 'logs' | keyof RequestUrls>

function statusOf(request: LatestRequest, common: Common, position: () => number): Status {
  switch (request.state) {
    case 'waiting':
      return waiting(common, position())
    case 'running':
      return { status: 'IN_PROGRESS', ...common, metrics: {} }
    case 'completed':
      return { status: 'COMPLETED', ...common, metrics: { inference_time: secondsOf(request) }, ...failureOf(request) }
    default:
      return assertNever(request.state)
  }
}

function waiting(common: Common, position: number): Status {
  return { status: 'IN_QUEUE', ...common, metrics: {}, queue_position: position }
}

/** Of the last attempt; null when there was none. */
function secondsOf({ startedAt, finishedAt }: LatestRequest): number | null {
  return startedAt === undefined || finishedAt === undefined ? null : Math.max(0, finishedAt - startedAt) / 1_000
}

/** The platform's failures have a type; what the app answered is known by its status. */
function failureOf({ error, status = 200 }: LatestRequest): Pick<Status, 'error' | 'error_type'> {
  if (error !== undefined) return { error: error.message, error_type: error.code }
  if (status < 400) return {}
  const failed = { error: `Invalid status code: ${status}` }
  return status >= 500 ? { ...failed, error_type: 'runner_server_error' } : failed
}

export function requestNotFound(requestId: string): CarrickError {
  return new CarrickError(
    'request_not_found',
    `Request ${requestId} not found: it is not yours, or it ended longer ago than requests are kept`,
  )
}
