import { pipeline } from 'node:stream/promises'
import { CarrickError } from '../domain/errors.ts'
import { resultOf, type StoredResult } from '../store/bodies.ts'
import { begin, finish, json } from './answers.ts'
import type { Exchange, GatewayDeps } from './deps.ts'
import { questioner, visibleRequest } from './lookup.ts'
import type { RequestRoute } from './route.ts'
import { requestNotFound } from './status.ts'

/** Clients compare this text. */
const inProgress = 'Request is still in progress'

/** Gives the stored answer: the status, the headers and the body that the app gave, or the platform in its place. */
export async function answerResult(deps: GatewayDeps, exchange: Exchange, route: RequestRoute): Promise<void> {
  const { res, requestId } = exchange
  const caller = questioner(deps, exchange, route)
  // Asked for together: whoever may not see it is not told.
  const latest = deps.homes.latest.find(requestId)
  const [seen, result] = await Promise.all([
    visibleRequest(deps, caller, route),
    latest === undefined ? deps.store.read(resultOf(requestId)) : latest.result,
  ])
  if (seen === undefined) throw requestNotFound(requestId)
  if (seen.request.state !== 'completed')
    return json(res, 400, { detail: inProgress }, [['x-fal-request-id', requestId]])
  if (result === undefined)
    throw new CarrickError(
      'request_not_found',
      `The result of request ${requestId} was not found: it is kept no longer`,
    )
  await send(deps, exchange, result)
}

async function send(
  { blobs }: GatewayDeps,
  { res, requestId }: Exchange,
  { status, headers, body }: StoredResult,
): Promise<void> {
  const length = 'inline' in body ? body.inline.byteLength : body.length
  const large = 'inline' in body ? undefined : await blobs.open(body.blob)
  const kept = headers.filter(([name]) => name !== 'content-length' && name !== 'x-fal-request-id')
  const sized = hasBody(status) ? [['content-length', String(length)] as const] : []
  begin(res, status, [...kept, ...sized, ['x-fal-request-id', requestId]])
  if ('inline' in body) finish(res, body.inline)
  if (large) await pipeline(large, res)
}

const hasBody = (status: number): boolean => status !== 204 && status !== 304
