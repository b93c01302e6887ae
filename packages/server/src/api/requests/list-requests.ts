import { z } from 'zod'
import { isChoosy, isMeant, placesOf, requestWords, type RequestFilter } from '../../domain/request-filter.ts'
import type { App } from '../../domain/app.ts'
import type { Caller } from '../../domain/permissions.ts'
import { endedRequests, openRequests, type ListedRequest } from '../../store/request-lists.ts'
import { ownApp, Which } from '../apps/queues.ts'
import type { Deps } from '../deps.ts'
import { operation } from '../operation.ts'
import { cursorOf, pageOf, placeOf, type Page } from '../platform/input.ts'

/** How many requests one page is looked for in, and how many are read at a time: between two reads others have their turn. */
const mostLooked = 10_000
const mostRead = 1_000

/** Where a page begins: behind an open request of this seq, or behind one that ended then and has this seq. */
const Place = z.union([z.tuple([z.literal('open'), z.int()]), z.tuple([z.literal('ended'), z.int(), z.int()])])
type Place = z.output<typeof Place>

const Filter = z.object({
  /** In any case. */
  status: z
    .string()
    .toLowerCase()
    .pipe(z.enum(requestWords, `A status is one of ${requestWords.join(', ')}`))
    .optional(),
  /** Of the end of those that have ended, of the submit of the others; `since` belongs to the time, `until` does not. */
  since: z.number().optional(),
  until: z.number().optional(),
  /** The account's own nickname, or the id that the app is told. */
  caller: z.string().max(200).optional(),
  key: z.string().max(200).optional(),
  /** A path of the app, with or without its slash, and what lies below it. */
  endpoint: z.string().max(1_000).optional(),
  error: z.string().max(100).optional(),
})

export interface RequestPage extends Page<ListedRequest> {
  readonly app: App
}

/**
 * An app's requests: first those without an outcome, the newest first, then those that have ended, the last one first.
 * A page may be short and still name the next one: it stops looking after 10,000 requests.
 */
export const listRequests = operation(
  {
    permission: 'requests:read',
    input: Which.extend(Filter.shape).extend({
      limit: z.number().int().min(1).max(1_000).default(50),
      cursor: z.string().optional(),
    }),
  },
  async (
    deps,
    caller,
    { status, since, until, caller: whose, key, endpoint, error, ...asked },
  ): Promise<RequestPage> => {
    const app = ownApp(deps, caller, asked)
    const filter: RequestFilter = {
      status,
      callerId: callerIdOf(whose, key, caller),
      keyId: key,
      route: endpoint === undefined ? undefined : `/${endpoint.replace(/^\/+/, '')}`,
      error,
    }
    const { limit, cursor } = asked
    const window = { from: since ?? 0, to: until ?? Number.MAX_SAFE_INTEGER }
    const place = cursor === undefined ? undefined : placeOf(Place, cursor)
    const found = await look(deps, app, { filter, window, place, most: limit + 1 })
    const page = pageOf(found.requests, limit, (last) => cursorOf(placeIn(last)))
    return { app, items: page.items, next: page.next ?? (found.stoppedAt && cursorOf(found.stoppedAt)) }
  },
)

/** Keys can be asked for that are the account's own. */
function callerIdOf(whose: string | undefined, key: string | undefined, caller: Caller): string | undefined {
  if (whose === caller.nickname) return caller.accountId
  return whose ?? (key === undefined ? undefined : caller.accountId)
}

interface Look {
  readonly filter: RequestFilter
  readonly window: { readonly from: number; readonly to: number }
  readonly place: Place | undefined
  readonly most: number
}

interface Found {
  readonly requests: readonly ListedRequest[]
  /** The last one that was looked at; absent when there was enough, and when there is no more. */
  readonly stoppedAt?: Place
}

async function look(deps: Pick<Deps, 'store'>, app: App, { filter, window, place, most }: Look): Promise<Found> {
  const requests: ListedRequest[] = []
  const isCut = window.from > 0 || window.to < Number.MAX_SAFE_INTEGER
  const size = isCut || isChoosy(filter) ? mostRead : Math.min(most, mostRead)
  let last = place
  let looked = 0
  for (const read of readsOf(app, filter, window, place)) {
    for (let full = true; full;) {
      if (looked >= mostLooked) return { requests, ...(last && { stoppedAt: last }) }
      const page = await deps.store.read(read(last, size))
      full = page.length === size
      looked += page.length
      for (const request of page) {
        last = placeIn(request)
        if (!isMeant(request, filter) || !isOpenWithin(request, window)) continue
        requests.push(request)
        if (requests.length === most) return { requests }
      }
    }
  }
  return { requests }
}

type ReadPage = (last: Place | undefined, size: number) => ReturnType<typeof openRequests>

/** How the places are read where such requests can be, one after another, from a place on. */
function readsOf(
  app: App,
  filter: RequestFilter,
  window: Look['window'],
  from: Place | undefined,
): readonly ReadPage[] {
  const { open, ended } = placesOf(filter)
  const top = Number.MAX_SAFE_INTEGER
  const reads: ReadPage[] = []
  if (open && from?.[0] !== 'ended')
    reads.push((last, size) => openRequests(app.id, last?.[0] === 'open' ? last[1] : top, size))
  if (ended !== undefined)
    reads.push((last, size) => {
      const after = last?.[0] === 'ended' ? { finishedAt: last[1], seq: last[2] } : { finishedAt: window.to, seq: top }
      return endedRequests(app.id, ended, window, { after, limit: size })
    })
  return reads
}

function isOpenWithin({ state, acceptedAt }: ListedRequest, { from, to }: Look['window']): boolean {
  return state === 'completed' || (acceptedAt >= from && acceptedAt < to)
}

function placeIn({ seq, finishedAt }: ListedRequest): Place {
  return finishedAt === undefined ? ['open', seq] : ['ended', finishedAt, seq]
}
