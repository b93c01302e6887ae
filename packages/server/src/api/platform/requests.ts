import { z } from 'zod'
import { exchanged, finishedRequestById, type Exchanged, type FinishedRequest } from '../../store/reports.ts'
import { operation } from '../operation.ts'
import { belongsTo, endpointOf, findFinished, type Endpoint } from './finished.ts'
import { cursorOf, placeOf, windowOf, type Page } from './input.ts'

/** How many requests one page is looked for in. */
const mostLooked = 10_000

const Place = z.tuple([z.number(), z.number()])

export const requestStatuses = ['success', 'user_error', 'error'] as const
type Status = (typeof requestStatuses)[number]

export interface RequestEntry {
  readonly request: FinishedRequest
  readonly endpoint: string
  /** What it sent and got, when that was asked for. */
  readonly exchanged?: Exchanged
}

/**
 * The requests of one endpoint that have ended, the last one first or the longest. A page may be short and still name
 * the next one: it stops looking after 10,000 requests. By duration there is one page, of what it looked at.
 */
export const requestsByEndpoint = operation(
  {
    permission: 'requests:read',
    input: z.object({
      endpoint: z.string(),
      start: z.number().optional(),
      end: z.number().optional(),
      status: z.enum(requestStatuses).optional(),
      requestId: z.string().optional(),
      sortBy: z.enum(['ended_at', 'duration']),
      bodies: z.boolean(),
      limit: z.number(),
      cursor: z.string().optional(),
    }),
  },
  async (deps, caller, { endpoint: id, status, requestId, sortBy, bodies, limit, cursor, ...times }) => {
    const endpoint = endpointOf(deps, caller, id)
    const found = requestId === undefined ? await page() : await one(requestId)
    const more = bodies ? await deps.store.read(exchanged(found.items.map((request) => request.id))) : []
    const byId = new Map(more.map((each) => [each.id, each]))
    const items = found.items.map((request): RequestEntry => {
      const both = byId.get(request.id)
      return { request, endpoint: endpointIdOf(endpoint, request), ...(both && { exchanged: both }) }
    })
    return { items, ...(found.next !== undefined && { next: found.next }) } satisfies Page<RequestEntry>

    async function page(): Promise<Page<FinishedRequest>> {
      const window = windowOf(times, deps.clock.now())
      const [finishedAt, seq] = cursor === undefined ? [] : placeOf(Place, cursor)
      const after = finishedAt === undefined || seq === undefined ? undefined : { finishedAt, seq }
      const byDuration = sortBy === 'duration'
      const { requests, stoppedAt } = await findFinished(deps, endpoint, {
        window,
        after,
        fits: (request) => status === undefined || statusOf(request) === status,
        limit: byDuration ? mostLooked : limit,
        most: mostLooked,
      })
      if (byDuration) return { items: longestFirst(requests).slice(0, limit) }
      return { items: requests, ...(stoppedAt && { next: cursorOf([stoppedAt.finishedAt, stoppedAt.seq]) }) }
    }

    async function one(asked: string): Promise<Page<FinishedRequest>> {
      const request = await deps.store.read(finishedRequestById(endpoint.app.id, asked))
      return { items: request && belongsTo(endpoint, request) ? [request] : [] }
    }
  },
)

/** Seconds from its last start to its end; absent when it never started. */
export function secondsOf({ startedAt, finishedAt }: FinishedRequest): number | undefined {
  return startedAt === undefined ? undefined : (finishedAt - startedAt) / 1_000
}

function longestFirst(requests: readonly FinishedRequest[]): readonly FinishedRequest[] {
  return requests.toSorted((one, other) => (secondsOf(other) ?? 0) - (secondsOf(one) ?? 0))
}

function statusOf({ status }: FinishedRequest): Status {
  if (status < 400) return 'success'
  return status < 500 ? 'user_error' : 'error'
}

function endpointIdOf({ app }: Endpoint, { path }: FinishedRequest): string {
  return `${app.owner}/${app.name}${path === '/' ? '' : path}`
}
