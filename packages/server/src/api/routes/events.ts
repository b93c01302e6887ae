import type { EventList } from '@carrick/protocol/rest'
import { listEvents } from '../events.ts'
import { iso, route, said } from './route.ts'

/** The record of changes. */
export const eventRoutes = [
  route('GET', '/v1/events', listEvents, {
    read: ({ query }) => ({ before: said(query['cursor']), limit: said(query['limit']) }),
    show: ({ events, next }): EventList => ({
      events: events.map(({ id, keyId, at, action, subject, outcome, detail }) => ({
        id,
        key_id: keyId,
        at: iso(at),
        action,
        subject,
        outcome,
        detail,
      })),
      next_cursor: next ?? null,
      has_more: next !== undefined,
    }),
  }),
]
