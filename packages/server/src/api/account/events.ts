import { z } from 'zod'
import { eventsOfAccount, type ChangeEvent } from '../../store/events.ts'
import { operation } from '../operation.ts'

/** A page of changes, newest first. */
export interface EventPage {
  readonly events: readonly ChangeEvent[]
  /** Where the next page begins; absent when nothing older is left. */
  readonly next?: string
}

/** Who changed what in the caller's account, from which key: by when, by verb, and by what it was done to. */
export const listEvents = operation(
  {
    permission: 'events:read',
    input: z.object({
      before: z.string().max(64).optional(),
      since: z.number().optional(),
      until: z.number().optional(),
      action: z.string().optional(),
      subject: z.string().optional(),
      limit: z.number().int().min(1).max(1_000).default(50),
    }),
  },
  async (deps, caller, { limit, ...filter }): Promise<EventPage> => {
    const found = await deps.store.read(eventsOfAccount(caller.accountId, { ...filter, limit: limit + 1 }))
    const events = found.slice(0, limit)
    const last = found.length > limit ? events.at(-1) : undefined
    return { events, ...(last && { next: last.id }) }
  },
)
