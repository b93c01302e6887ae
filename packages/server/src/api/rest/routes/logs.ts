import { logLevels } from '@carrick/protocol/words'
import type { LogPage, RunnerWindow } from '@carrick/protocol/rest'
import type { LogLine, LogSource } from '../../../logs/log-store.ts'
import { EventStream, mapped } from '../event-stream.ts'
import { followLogs, logHistory, logTracebacks } from '../../logs/logs.ts'
import { runnerWindow } from '../../runners/runners.ts'
import { iso, isoOrNull, route, said, type Request } from './route.ts'

/** What runners said, and when they lived. */
export const logRoutes = [
  route('GET', '/runners/:id', runnerWindow, {
    read: ({ params }) => ({ id: params['id'] ?? '' }),
    show: ({ startedAt, endedAt, reason }): RunnerWindow => ({
      started_at: iso(startedAt),
      ended_at: isoOrNull(endedAt),
      ...(reason === undefined ? {} : { termination_reason: reason }),
    }),
  }),

  route('POST', '/logs/history', logHistory, {
    read: ({ query }) => ({ ...logWindow(query), runnerId: said(query['job_id']), limit: said(query['page_size']) }),
    show: ({ lines, nextUntil }): LogPage => ({ items: lines.map(logItem), next_until: isoOrNull(nextUntil) }),
  }),

  route('GET', '/logs/', logTracebacks, {
    read: ({ query }) => ({
      ...logWindow(query),
      runnerId: said(query['job_id']),
      limit: said(query['page_size']),
      ...(query['traceback'] === 'true' ? { traceback: true as const } : {}),
    }),
    show: (lines) => lines.map(logItem),
  }),

  route('POST', '/logs/stream', followLogs, {
    read: ({ query }) => ({ ...logWindow(query), runnerId: said(query['job_id']) ?? '' }),
    show: (batches) => new EventStream(mapped(batches, logItem)),
  }),
]

/** What an address may ask for besides the runner. The stock client names a search and moments alone. */
function logWindow(query: Request['query']) {
  return {
    requestId: said(query['request_id']),
    revisionId: said(query['revision']),
    level: said(query['level']),
    // checked by the operation, which knows the words
    source: said(query['source']) as LogSource | undefined,
    search: said(query['search']),
    since: said(query['since']),
    until: said(query['until']),
  }
}

function logItem({ at, message, level }: LogLine): LogPage['items'][number] {
  return { timestamp: iso(at), message, level: logLevels[level] }
}
