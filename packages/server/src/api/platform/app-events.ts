import { z } from 'zod'
import { eventCategories, eventsOfChange, eventsOfRunner, type AppEvent } from '../../domain/app-events.ts'
import { changesOf } from '../../store/events.ts'
import { accountById, type Account } from '../../store/accounts.ts'
import { runnerSpans } from '../../store/reports.ts'
import { operation } from '../operation.ts'
import { ownApp, Which } from '../apps/queues.ts'
import { cursorOf, pageOf, placeOf, windowOf, type Page } from './input.ts'

/** How many runners, and how many changes, one page is looked for in. */
const mostRows = 2_000

const Place = z.tuple([z.number(), z.string()])

export interface AppEventPage extends Page<AppEvent> {
  /** Who owns the app, and so made its changes. */
  readonly actor?: Account
}

/** What happened to an app, the last first: runners, deployments and changed settings. */
export const appEvents = operation(
  {
    permission: 'apps:read',
    input: Which.extend({
      start: z.number().optional(),
      end: z.number().optional(),
      categories: z.array(z.enum(eventCategories)).optional(),
      limit: z.number(),
      cursor: z.string().optional(),
    }),
  },
  async (deps, caller, { start, end, categories, limit, cursor, ...which }): Promise<AppEventPage> => {
    const app = ownApp(deps, caller, which)
    const asked = windowOf({ start, end }, deps.clock.now())
    const after = cursor === undefined ? undefined : placeOf(Place, cursor)
    const window = { from: asked.from, to: after === undefined ? asked.to : after[0] + 1 }
    const [spans, changes, actor] = await Promise.all([
      deps.store.read(runnerSpans(app.id, window, mostRows)),
      deps.store.read(changesOf(caller.accountId, app.name, window, mostRows)),
      deps.store.read(accountById(app.accountId)),
    ])
    // A change that had ended before was one of another app of that name; a first deploy begins before its app is there.
    const own = changes.filter(({ at, endedAt = at }) => endedAt >= app.createdAt)
    const found = [...spans.flatMap(eventsOfRunner), ...own.flatMap(eventsOfChange)]
      .filter(({ at }) => at >= window.from && at < window.to)
      .filter(({ category }) => categories?.includes(category) ?? true)
      .filter((event) => after === undefined || isBefore(event, after))
      .toSorted((one, other) => (isBefore(one, placeIn(other)) ? 1 : -1))
    const page = pageOf(found, limit, (last) => cursorOf(placeIn(last)))
    return { ...page, ...(actor && { actor }) }
  },
)

const placeIn = ({ at, id }: AppEvent): readonly [number, string] => [at, id]

function isBefore({ at, id }: AppEvent, [moment, other]: readonly [number, string]): boolean {
  return at < moment || (at === moment && id < other)
}
