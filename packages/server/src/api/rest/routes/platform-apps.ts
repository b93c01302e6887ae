import {
  AppEvents,
  PlatformApps,
  PlatformQueue,
  PlatformRevisions,
  RunnerHistory,
  type PlatformApp,
} from '@carrick/protocol/platform'
import { z } from 'zod'
import type { App } from '../../../domain/app.ts'
import { eventCategories, type AppEvent } from '../../../domain/app-events.ts'
import { appEvents } from '../../platform/app-events.ts'
import { searchApps } from '../../platform/apps.ts'
import { InWindow } from '../../platform/input.ts'
import { revisionPage } from '../../platform/revisions.ts'
import { runnerHistory, RunnerHistoryQuery } from '../../platform/runner-history.ts'
import { flushQueue, queueSize } from '../../apps/queues.ts'
import { described } from './described.ts'
import { cursor, limitTo, paged } from './paging.ts'
import { iso, named } from './route.ts'

const app = '/v1/serverless/apps/:owner/:name'

/** Apps, as the platform API shows them. */
export const platformAppRoutes = [
  described('GET', '/v1/serverless/apps', searchApps, {
    summary: "The account's apps in one environment",
    query: z.object({
      environment: z.string().default('main'),
      search: z.string().max(100).optional(),
      expand: z.array(z.enum(['endpoints'])).default([]),
      limit: limitTo(100),
      cursor,
    }),
    answer: PlatformApps,
    read: ({ query: { environment, search, expand, limit, cursor: place } }) => {
      return { environment, search, withEndpoints: expand.includes('endpoints'), limit, cursor: place }
    },
    show: ({ items, next }) => ({
      apps: items.map(({ app: shown, endpoints }) => ({
        ...shownApp(shown),
        ...(endpoints && { endpoints: [...endpoints] }),
      })),
      ...paged(next),
    }),
  }),

  described('GET', `${app}/queue`, queueSize, {
    summary: 'How many requests wait for an app',
    answer: PlatformQueue,
    read: ({ params }) => named(params),
    show: ({ size }) => ({ queue_size: size }),
  }),

  described('DELETE', `${app}/queue`, flushQueue, {
    summary: 'Cancels every request that waits for an app; those that run go on',
    read: ({ params }) => named(params),
  }),

  described('GET', `${app}/runners/history`, runnerHistory, {
    summary: 'How many runners an app had, by time',
    query: RunnerHistoryQuery,
    answer: RunnerHistory,
    read: ({ params, query }) => ({ ...named(params), ...query }),
    show: ({ history, ...rest }) => ({
      ...rest,
      history: history.map(({ from, running, pending, draining }) => ({
        bucket: iso(from),
        running,
        idle: null,
        pending,
        draining,
      })),
    }),
  }),

  described('GET', `${app}/events`, appEvents, {
    summary: 'What happened to an app: its runners, its deployments, its settings',
    query: z.object({
      ...InWindow,
      category: z.array(z.enum(eventCategories)).optional(),
      limit: limitTo(1_000),
      cursor,
    }),
    answer: AppEvents,
    read: ({ params, query: { category, ...query } }) => ({ ...named(params), ...query, categories: category }),
    show: ({ items, next, actor }) => ({
      events: items.map((event) => shownEvent(event, actor)),
      ...paged(next),
    }),
  }),

  described('GET', `${app}/revisions`, revisionPage, {
    summary: "An app's revisions, newest first",
    query: z.object({ limit: limitTo(100), cursor }),
    answer: PlatformRevisions,
    read: ({ params, query }) => ({ ...named(params), ...query }),
    show: ({ items, next }) => ({
      revisions: items.map(({ revision: { id, createdAt, spec, failure }, isCurrent, status, deployedBy }) => ({
        revision_id: id,
        created_at: iso(createdAt),
        is_current: isCurrent,
        status: status ?? null,
        failure: (status === 'failed' && failure) || null,
        message: Message.parse(spec.metadata['message']),
        annotations: Annotations.parse(spec.metadata['annotations']),
        deployed_by: deployedBy ? { nickname: deployedBy.nickname, key_id: deployedBy.keyId } : null,
      })),
      ...paged(next),
    }),
  }),
]

/** A deploy may have sent anything as its metadata. */
const Message = z.string().nullable().catch(null)
const Annotations = z.record(z.string(), z.unknown()).catch({})

type Actor = { readonly nickname: string; readonly fullName: string }

/** Only what its account has done is told with a name: runners come and go by themselves. */
export function shownEvent({ id, category, at, detail }: AppEvent, actor: Actor | undefined) {
  const who = category.startsWith('runner_') || !actor ? null : { nickname: actor.nickname, full_name: actor.fullName }
  return { id, category, timestamp: iso(at), ...detail, actor: who }
}

export function shownApp({ owner, name, environment, authMode, revisionId, scale, createdAt, updatedAt }: App) {
  return {
    endpoint_id: `${owner}/${name}`,
    owner,
    name,
    environment,
    auth_mode: authMode,
    revision_id: revisionId ?? null,
    machine_type: scale.machine_types[0] ?? '',
    machine_types: [...scale.machine_types],
    keep_alive: scale.keep_alive,
    min_concurrency: scale.min_concurrency,
    max_concurrency: scale.max_concurrency,
    max_multiplexing: scale.max_multiplexing,
    concurrency_buffer: scale.concurrency_buffer,
    concurrency_buffer_perc: scale.concurrency_buffer_perc,
    scaling_delay: scale.scaling_delay,
    request_timeout: scale.request_timeout,
    request_start_timeout: scale.request_start_timeout ?? null,
    startup_timeout: scale.startup_timeout,
    valid_regions: [...scale.valid_regions],
    created_at: iso(createdAt),
    updated_at: iso(updatedAt),
  } satisfies PlatformApp
}
