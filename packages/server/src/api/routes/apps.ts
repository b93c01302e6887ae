import type { AppMetrics, QueueFlushed, QueueSize } from '@carrick/protocol/rest'
import { appMetadata } from '../apps.ts'
import { gpuUsage } from '../gpus.ts'
import { flushQueue, queueSize } from '../queues.ts'
import { named, route, said } from './route.ts'

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
]
