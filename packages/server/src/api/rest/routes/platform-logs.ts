import { logLevels } from '@carrick/protocol/words'
import { LogLabels, PlatformLogLine, PlatformLogs } from '@carrick/protocol/platform'
import { z } from 'zod'
import { CarrickError } from '../../../domain/errors.ts'
import type { LogLine } from '../../../logs/log-store.ts'
import { EventStream } from '../event-stream.ts'
import { InWindow } from '../../platform/input.ts'
import { followPlatformLogs, platformLogs } from '../../platform/logs.ts'
import { described } from './described.ts'
import { cursor, paged } from './paging.ts'
import { iso } from './route.ts'

const word = z.string().max(500).optional()

/** What both take. */
const Filters = z.object({
  ...InWindow,
  app_id: word,
  job_id: word,
  request_id: word,
  search: z.string().max(1_000).optional(),
  revision: word,
  run_source: word,
  traceback: z.enum(['true', 'false']).optional(),
  /** One, or several with commas between them. */
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

type Named = Omit<z.output<typeof Filters>, 'start' | 'end' | 'search'>

function filterOf({ start, end, search, ...query }: z.output<typeof Filters>, body: z.output<typeof LogLabels>) {
  const named = (body?.labels ?? []).reduce<Named>(withLabel, query)
  return {
    app: named.app_id,
    runnerId: named.job_id,
    requestId: named.request_id,
    revisionId: named.revision,
    source: named.run_source,
    levels: named.level?.split(','),
    traceback: named.traceback === 'true' ? (true as const) : undefined,
    search,
    start,
    end,
  }
}

/** The labels that say what a part of the address could say. */
const labelled: ReadonlyMap<string, Exclude<keyof Named, 'traceback'>> = new Map([
  ['app_id', 'app_id'],
  ['job_id', 'job_id'],
  ['request_id', 'request_id'],
  ['revision', 'revision'],
  ['source', 'run_source'],
  ['run_source', 'run_source'],
  ['level', 'level'],
])

/** Overlooking a label, or half of what is said of it, would show other lines than those asked for. */
function withLabel(asked: Named, { key, value, condition_type }: Label): Named {
  const name = labelled.get(key)
  const values = [value].flat()
  if (name === undefined || condition_type.startsWith('not_') || (values.length !== 1 && name !== 'level')) {
    const message = `Logs cannot be filtered by the label "${key}" here, or not so: ${[...labelled.keys()].join(', ')} can each equal one value, and level be one of several`
    throw new CarrickError('unimplemented', message)
  }
  if (asked[name] === undefined) return { ...asked, [name]: values.join(',') }
  throw new CarrickError('bad_request', `The label "${key}" says again what was said already: name ${name} once`)
}

type Label = NonNullable<z.output<typeof LogLabels>>['labels'][number]

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
