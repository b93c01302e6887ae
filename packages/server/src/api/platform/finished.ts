import { CarrickError } from '../../domain/errors.ts'
import type { App } from '../../domain/app.ts'
import type { Caller } from '../../domain/permissions.ts'
import { finishedRequests, type After, type FinishedRequest, type Window } from '../../store/reports.ts'
import type { Deps } from '../deps.ts'
import { ownApp } from '../apps/queues.ts'

/** How many requests are read at a time: between two reads others have their turn. */
const pageSize = 1_000

/** An endpoint id: a whole app, or one of its routes and what lies below it. */
export interface Endpoint {
  readonly id: string
  readonly app: App
  /** Empty for the whole app. */
  readonly route: string
}

/** The endpoint of the caller's own app that an id names. Throws `app_not_found`, or `bad_request` when it is no id. */
export function endpointOf(deps: Pick<Deps, 'apps'>, caller: Caller, id: string): Endpoint {
  const [owner = '', name = '', ...more] = id.split('/')
  if (owner === '' || name === '') {
    const shown = id.slice(0, 200)
    throw new CarrickError('bad_request', `"${shown}" is no endpoint id: write owner/app, or owner/app/route`)
  }
  const route = more.filter((part) => part !== '').join('/')
  return { id, app: ownApp(deps, caller, { owner, name }), route: route === '' ? '' : `/${route}` }
}

export function belongsTo({ route }: Endpoint, { path }: FinishedRequest): boolean {
  return route === '' || path === route || path.startsWith(`${route}/`)
}

export interface Found {
  readonly requests: readonly FinishedRequest[]
  /** The last one that was looked at; absent when the window was looked through. */
  readonly stoppedAt?: After
}

/**
 * The endpoint's requests that ended in the window and that `fits` takes, the last one first. Stops when it has `limit`
 * of them, and after it has looked at `most`.
 */
export async function findFinished(
  { store }: Pick<Deps, 'store'>,
  endpoint: Endpoint,
  {
    window,
    fits = () => true,
    limit,
    most,
    after: first,
  }: {
    readonly window: Window
    readonly fits?: (request: FinishedRequest) => boolean
    readonly limit: number
    readonly most: number
    readonly after?: After | undefined
  },
): Promise<Found> {
  const requests: FinishedRequest[] = []
  let after = first
  for (let looked = 0; looked < most;) {
    const size = Math.min(pageSize, most - looked)
    const page = await store.read(finishedRequests(endpoint.app.id, window, { after, limit: size }))
    for (const request of page) {
      after = { finishedAt: request.finishedAt, seq: request.seq }
      if (!belongsTo(endpoint, request) || !fits(request)) continue
      requests.push(request)
      if (requests.length === limit) return { requests, stoppedAt: after }
    }
    if (page.length < size) return { requests }
    looked += page.length
  }
  return { requests, ...(after && { stoppedAt: after }) }
}
