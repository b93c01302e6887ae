import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import type { Moment } from '../../kit/clock.ts'
import type { Window } from '../../store/reports.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const mostDays = 90

/** A moment as ISO 8601 with a zone. */
export const moment = z.iso.datetime({ offset: true }).transform((text): Moment => Date.parse(text))

/** `start` belongs to the window, `end` does not. */
export const InWindow = { start: moment.optional(), end: moment.optional() }

/** The window that was asked for: the last 24 hours unless something else was said, and 90 days at most. */
export function windowOf(
  { start, end }: { readonly start?: Moment | undefined; readonly end?: Moment | undefined },
  now: Moment,
): Window {
  const to = end ?? now + 1 // what ended in this millisecond belongs to it
  const from = start ?? to - dayMs
  if (from >= to) throw new CarrickError('bad_request', 'start must be before end')
  if (to - from <= mostDays * dayMs) return { from, to }
  throw new CarrickError(
    'bad_request',
    `A window may be ${mostDays} days long, not more: choose a later start or an earlier end`,
  )
}

/** Where a page begins, as its caller sees it. */
export function cursorOf(place: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url')
}

/** Throws `bad_request` for what `cursorOf` did not make. */
export function placeOf<Place extends z.ZodType>(place: Place, cursor: string): z.output<Place> {
  try {
    return place.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString()))
  } catch (cause) {
    throw new CarrickError('bad_request', 'The cursor is none that this server gave: leave it out to begin again', {
      cause,
    })
  }
}

/** A page of what was found, which is one more than fits when there is more. */
export function pageOf<Item>(found: readonly Item[], limit: number, place: (last: Item) => string): Page<Item> {
  const items = found.slice(0, limit)
  const last = items.at(-1)
  return found.length > limit && last !== undefined ? { items, next: place(last) } : { items }
}

export interface Page<Item> {
  readonly items: readonly Item[]
  /** Where the next page begins; absent when nothing is left. */
  readonly next?: string
}
