import { AppEvents, PlatformApp, ScaleRequest } from '@carrick/protocol/platform'
import type { AppMetrics, QueueFlushed, QueueSize } from '@carrick/protocol/rest'
import { z } from 'zod'
import { eventCategories } from '../../../domain/app-events.ts'
import { splitAlias } from '../../../domain/names.ts'
import { appMetadata, updateApp } from '../../apps/apps.ts'
import { gpuUsage } from '../../runners/gpus.ts'
import { appEvents } from '../../platform/app-events.ts'
import { moment } from '../../platform/input.ts'
import { flushQueue, queueSize } from '../../apps/queues.ts'
import { described } from './described.ts'
import { cursor, limitTo, paged } from './paging.ts'
import { shownApp, shownEvent } from './platform-apps.ts'
import { named, route, said } from './route.ts'

const OldEvents = z.object({
  since: moment.optional(),
  until: moment.optional(),
  categories: z.array(z.enum(eventCategories)).optional(),
  size: limitTo(1_000),
  cursor,
})

/** Apps and their queues, as the stock `fal` command asks for them. */
export const appRoutes = [
  route('GET', '/applications/metrics', gpuUsage, {
    read: () => ({}),
    show: ({ total, apps }): AppMetrics => ({
      summary: { total_gpu_by_type: total },
      apps: Object.fromEntries(Object.entries(apps).map(([name, counts]) => [name, { gpu_count_by_type: counts }])),
    }),
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

  // As clients of 2025 ask: what happened to an app by pages, and its scale settings.
  described('GET', '/applications/:owner/:name/events', appEvents, {
    summary: 'What happened to an app',
    query: OldEvents,
    answer: AppEvents,
    read: ({ params, query: { since, until, categories, size, cursor: place } }) => ({
      ...named(params),
      start: since,
      end: until,
      categories,
      limit: size,
      cursor: place,
    }),
    show: ({ items, next, actor }) => ({ events: items.map((event) => shownEvent(event, actor)), ...paged(next) }),
  }),

  described('PUT', '/applications/scale/:name', updateApp, {
    summary: 'Changes live scale settings',
    body: ScaleRequest,
    answer: PlatformApp,
    read: ({ params, body }) => {
      const name = params['name'] ?? ''
      return { name, environment: splitAlias(name).environment, changes: body }
    },
    show: ({ app }) => shownApp(app),
  }),
]
