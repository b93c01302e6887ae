import { logLevels } from '@carrick/protocol/words'
import { LogLabels, PlatformLogLine, PlatformLogs } from '@carrick/protocol/platform'
import { z } from 'zod'
import type { LogLine } from '../../logs/log-store.ts'
import { EventStream } from '../event-stream.ts'
import { InWindow } from '../platform/input.ts'
import { followPlatformLogs, platformLogs, refuseFilters } from '../platform/logs.ts'
import { described } from './described.ts'
import { cursor, paged } from './paging.ts'
import { iso } from './route.ts'

const word = z.string().max(500).optional()

/** What both take. Those that nothing fulfils are named too: then they are refused, not overlooked. */
const Filters = z.object({
  ...InWindow,
  app_id: word,
  job_id: word,
  request_id: word,
  search: z.string().max(1_000).optional(),
  revision: word,
  run_source: word,
  traceback: word,
  level: word,
})

/** Log lines of all the account's apps. */
export const platformLogRoutes = [
  described('POST', '/v1/serverless/logs/history', platformLogs, {
    summary: 'A page of log lines, newest first',
    query: Filters.extend({ limit: z.coerce.number().int().min(1).max(1_000).default(100), cursor }),
    body: LogLabels,
    answer: PlatformLogs,
    read: ({ query: { limit, cursor: place, ...filters }, body }) => ({
      ...filterOf(filters, body),
      limit,
      cursor: place,
    }),
    show: ({ items, next }) => ({ items: items.map(logLine), ...paged(next) }),
  }),

  described('POST', '/v1/serverless/logs/stream', followPlatformLogs, {
    summary: 'Log lines as they come; those since `start` come first',
    query: Filters,
    body: LogLabels,
    answer: PlatformLogLine,
    media: 'text/event-stream',
    read: ({ query, body }) => filterOf(query, body),
    show: (batches) => new EventStream(shown(batches)),
  }),
]

function filterOf(
  { app_id, job_id, request_id, search, start, end, ...unserved }: z.output<typeof Filters>,
  body: z.output<typeof LogLabels>,
) {
  const [label] = body?.labels ?? []
  refuseFilters({ ...unserved, [`the label "${label?.key.slice(0, 100) ?? ''}"`]: label })
  return { app: app_id, runnerId: job_id, requestId: request_id, search, start, end }
}

function logLine({ at, level, message, appId, revisionId, runnerId, requestId, source }: LogLine): PlatformLogLine {
  const labels = { app_id: appId, job_id: runnerId, request_id: requestId, source }
  return {
    timestamp: iso(at),
    level: logLevels[level],
    message,
    app: appId ?? null,
    revision: revisionId ?? null,
    labels: Object.fromEntries(
      Object.entries(labels).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
    ),
  }
}

async function* shown(batches: AsyncGenerator<readonly LogLine[]>): AsyncGenerator<readonly object[]> {
  for await (const batch of batches) yield batch.map(logLine)
}
