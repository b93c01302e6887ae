import { z } from 'zod'
import type { App } from '../../domain/app.ts'
import { CarrickError } from '../../domain/errors.ts'
import type { RequestId } from '../../domain/ids.ts'
import { wireName } from '../../domain/names.ts'
import type { Caller } from '../../domain/permissions.ts'
import type { RequestTimeline } from '../../domain/request-timeline.ts'
import { acceptAgain } from '../../home/accept.ts'
import { uuidv7 } from '../../kit/ids.ts'
import { attemptsOf, listedRequestById, type AttemptEntry, type ListedRequest } from '../../store/request-lists.ts'
import { retriesOf } from '../../store/retries.ts'
import { timelineOf } from '../../store/timelines.ts'
import type { Deps } from '../deps.ts'
import { operation } from '../operation.ts'

const WhichRequest = z.object({ id: z.string().max(200) })

/** How many of the requests that sent one again are named. */
const mostRetries = 100

/** A request of the queue with all that its app's owner can know of it, but for what was sent and answered. */
export interface RequestDetail {
  readonly app: App
  readonly request: ListedRequest
  readonly attempts: readonly AttemptEntry[]
  /** Where its time went until now. */
  readonly timeline?: RequestTimeline | undefined
  /** The requests that sent it again. */
  readonly retries: readonly RequestId[]
}

/** One request of any of the account's apps. */
export const requestDetail = operation(
  { permission: 'requests:read', input: WhichRequest },
  async (deps, caller, { id }): Promise<RequestDetail> => {
    const owned = await ownRequest(deps, caller, id)
    const [attempts, timeline, retries] = await Promise.all([
      deps.store.read(attemptsOf(id)),
      timelineOf(deps.store, id, deps.clock.now()),
      deps.store.read(retriesOf(id, mostRetries)),
    ])
    return { ...owned, attempts, timeline, retries }
  },
)

export interface Retried {
  readonly app: App
  readonly id: RequestId
  readonly retriedFrom: RequestId
}

/**
 * Puts a request that has ended into its app's queue once more: a new request, as from the same caller. Throws
 * `request_unfinished`, or `request_not_found` when its input is kept no longer.
 */
export const retryRequest = operation(
  { permission: 'apps:write', input: WhichRequest },
  async (deps, caller, { id: original }): Promise<Retried> => {
    const { app, request } = await ownRequest(deps, caller, original)
    if (request.state !== 'completed') throw unfinished(request)
    const { queueLength } = deps.homes.of(app.id)
    if (queueLength >= deps.queueLimit) throw full(app, queueLength)
    const id = uuidv7(deps.clock)
    const retry = { id, appId: app.id, original, keyId: caller.keyId, now: deps.clock.now() }
    if (!(await acceptAgain(deps, retry))) throw withoutInput(original)
    deps.homes.of(app.id).traffic.received('POST')
    return { app, id, retriedFrom: original }
  },
  {
    action: 'retry_request',
    about: ({ id }, retried) => ({
      subject: retried?.app.name ?? id,
      request: id,
      ...(retried && { new_request: retried.id }),
    }),
  },
)

/** The request, if it is one of the caller's own apps'. To everybody else it does not exist. */
export async function ownRequest(
  { store, apps }: Pick<Deps, 'store' | 'apps'>,
  caller: Caller,
  id: RequestId,
): Promise<Pick<RequestDetail, 'app' | 'request'>> {
  const request = await store.read(listedRequestById(id))
  const app = request && apps.byId(request.appId)?.app
  if (request === undefined || app?.accountId !== caller.accountId) {
    const message = `Request "${id}" not found among those of your apps: it is wrong, or it is kept no longer`
    throw new CarrickError('request_not_found', message)
  }
  return { app, request }
}

function unfinished({ id, state }: ListedRequest): CarrickError {
  const doing = state === 'waiting' ? 'still waits' : 'is still running'
  return new CarrickError('request_unfinished', `Request ${id} ${doing}, so it is not sent again: cancel it first`)
}

function withoutInput(id: RequestId): CarrickError {
  const message = `The input of request ${id} is kept no longer, so it cannot be sent again`
  return new CarrickError('request_not_found', message)
}

function full(app: App, length: number): CarrickError {
  const message = `${length} requests already wait for ${wireName(app)}, as many as this server allows; try again later`
  return new CarrickError('queue_full', message)
}
