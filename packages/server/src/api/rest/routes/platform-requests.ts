import { AppRequests, RequestDetail, RetriedRequest } from '@carrick/protocol/platform'
import { queueStatuses } from '@carrick/protocol/words'
import { z } from 'zod'
import type { App } from '../../../domain/app.ts'
import { wireName } from '../../../domain/names.ts'
import { shownTimeline } from '../../../domain/request-timeline.ts'
import type { AttemptEntry, ListedRequest } from '../../../store/request-lists.ts'
import { moment } from '../../platform/input.ts'
import { listRequests } from '../../requests/list-requests.ts'
import { requestDetail, retryRequest, type RequestDetail as Detail } from '../../requests/requests.ts'
import { described } from './described.ts'
import { cursor, limitTo, paged } from './paging.ts'
import { iso, isoOrNull, named, type Route } from './route.ts'

const word = z.string().max(1_000).optional()

/** The list of an app's requests has two addresses: the platform API's, and the one that the queue's door leads to. */
const listAt = (path: string): Route =>
  described('GET', path, listRequests, {
    summary:
      "An app's requests: those without an outcome first, newest first; then those that ended, the last one first",
    query: z.object({
      status: word,
      since: moment.optional(),
      until: moment.optional(),
      caller: word,
      key: word,
      endpoint: word,
      error: word,
      limit: limitTo(1_000),
      cursor,
    }),
    answer: AppRequests,
    read: ({ params, query }) => ({ ...named(params), ...query }),
    show: ({ app, items, next }, { caller }) => ({
      requests: items.map((request) => shownRequest(request, app, caller?.nickname)),
      ...paged(next),
    }),
  })

/** The requests of an account's apps, for who looks after them. */
export const platformRequestRoutes: readonly Route[] = [
  listAt('/v1/serverless/apps/:owner/:name/requests'),
  listAt('/applications/:owner/:name/requests'),

  described('GET', '/v1/serverless/requests/:id', requestDetail, {
    summary: 'One request with its attempts',
    answer: RequestDetail,
    read: ({ params }) => ({ id: params['id'] ?? '' }),
    show: (detail, { caller }) => ({
      ...shownRequest(detail.request, detail.app, caller?.nickname),
      input: shownInput(detail.request),
      attempt_list: detail.attempts.map((attempt) => shownAttempt(attempt, detail)),
      timeline: detail.timeline ? shownTimeline(detail.timeline) : null,
      retries: [...detail.retries],
      logs: `/v1/serverless/logs/history?app_id=${wireName(detail.app)}&request_id=${detail.request.id}`,
    }),
  }),

  described('POST', '/v1/serverless/requests/:id/retry', retryRequest, {
    summary: 'Sends a request that has ended once more, as a new one',
    answer: RetriedRequest,
    read: ({ params }) => ({ id: params['id'] ?? '' }),
    show: ({ app, id, retriedFrom }) => ({ request_id: id, endpoint_id: wireName(app), retried_from: retriedFrom }),
  }),
]

/** Of other accounts the owner learns what the app does, and no key. */
function shownRequest(request: ListedRequest, app: App, nickname: string | undefined) {
  const { input } = request
  const isOwn = input?.callerId === app.accountId
  return {
    request_id: request.id,
    endpoint_id: endpointIdOf(app, input?.path),
    status: queueStatuses[request.state],
    status_code: request.status ?? null,
    error_type: request.error?.code ?? null,
    error: request.error?.message ?? null,
    dead: request.dead,
    priority: request.priority,
    attempts: request.attempt,
    caller: (isOwn ? nickname : input?.callerId) ?? null,
    key_id: (isOwn ? request.keyId : undefined) ?? null,
    sent_at: iso(request.acceptedAt),
    started_at: isoOrNull(request.startedAt),
    ended_at: isoOrNull(request.finishedAt),
    cancel_requested_at: isoOrNull(request.cancelRequestedAt),
    runner_id: request.runnerId ?? null,
    retried_from: request.retriedFrom ?? null,
  }
}

function shownInput({ input }: ListedRequest) {
  return input?.kept === true ? { path: input.path, bytes: input.bytes } : null
}

function endpointIdOf(app: App, path = '/'): string {
  const [route = '/'] = path.split('?')
  return `${wireName(app)}${route === '/' ? '' : route}`
}

/** The last attempt ended as the request did, unless it was cancelled or given up while it waited for another. */
function shownAttempt({ number, runnerId, startedAt, ...failed }: AttemptEntry, { request }: Detail) {
  const isLast = failed.failedAt === undefined && number === request.attempt
  return {
    number,
    runner_id: runnerId,
    started_at: iso(startedAt),
    ended_at: isoOrNull(isLast ? request.finishedAt : failed.failedAt),
    status_code: (isLast ? request.status : failed.failedStatus) ?? null,
    error_type: (isLast ? request.error?.code : failed.failedCode) ?? null,
  }
}
