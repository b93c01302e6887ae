import { EventList } from '@carrick/protocol/rest'
import { z } from 'zod'
import { listEvents } from '../../account/events.ts'
import { moment } from '../../platform/input.ts'
import { described } from './described.ts'
import { cursor, limitTo, paged } from './paging.ts'
import { iso, isoOrNull } from './route.ts'

/** The record of changes. */
export const eventRoutes = [
  described('GET', '/v1/events', listEvents, {
    summary: 'Who changed what in the account, from which key, newest first',
    query: z.object({
      since: moment.optional(),
      until: moment.optional(),
      action: z.string().max(100).optional(),
      subject: z.string().max(500).optional(),
      limit: limitTo(1_000),
      cursor,
    }),
    answer: EventList,
    read: ({ query: { cursor: before, ...query } }) => ({ ...query, before }),
    show: ({ events, next }) => ({
      events: events.map(({ id, keyId, at, endedAt, action, subject, outcome, detail }) => ({
        id,
        key_id: keyId,
        at: iso(at),
        ended_at: isoOrNull(endedAt),
        action,
        subject,
        outcome,
        detail: { ...detail },
      })),
      ...paged(next),
    }),
  }),
]
