import type { IncomingMessage } from 'node:http'
import { collect } from '../blobs/collect.ts'
import { forwardable } from '../calls/headers.ts'
import { CarrickError } from '../domain/errors.ts'
import { wireName } from '../domain/names.ts'
import { webhookUrl } from '../domain/webhook.ts'
import type { NewRequest, RequestPayload, StoredBody } from '../domain/request.ts'
import { accept } from '../home/accept.ts'
import { crashPoint, crashPointOn } from '../kit/crash-points.ts'
import { callableApp, callerIdFor, callerOf, owns, type CallableApp } from './access.ts'
import { json } from './answers.ts'
import { incomingBody } from './body.ts'
import { connectionOf } from './connection.ts'
import type { Exchange, GatewayDeps } from './deps.ts'
import { forbidsRetries, headerPairs, priorityOf, retryBudgets } from './platform-headers.ts'
import { submitQuery } from './query.ts'
import type { Target } from './target.ts'
import { startLimitMs } from './slot.ts'
import { requestUrls } from './urls.ts'

/** Takes a request into the app's queue. Answers when it is on disk, with the addresses under which it can be followed. */
export async function submit(
  deps: GatewayDeps,
  { req, res, requestId }: Exchange,
  { alias, path }: Target,
): Promise<void> {
  const acceptedAt = deps.clock.now()
  const caller = callerOf(req, deps.keyring)
  const known = callableApp(deps.apps, caller, alias)
  const owner = owns(caller, known)
  const { forApp, maxQueueLength, webhook } = submitQuery(path)
  const url = webhook === undefined ? undefined : webhookUrl(webhook, deps.mayCallBack)
  checkRoom(deps, known, maxQueueLength)
  const startMs = startLimitMs(req.headers, known, owner)
  const request: NewRequest = {
    id: requestId,
    appId: known.app.id,
    keyId: caller?.keyId,
    priority: priorityOf(req.headers),
    acceptedAt,
    startBy: startMs === undefined ? undefined : acceptedAt + startMs,
    ...(url !== undefined && { webhook: { url, accountId: caller?.accountId ?? known.app.accountId } }),
    retry: { forbidden: forbidsRetries(req.headers), budgets: owner ? retryBudgets(req.headers) : {} },
    payload: { ...(await contentOf(req, deps)), path: forApp, callerId: callerIdFor(caller, known) },
  }
  await accept(deps, request)
  deps.homes.of(request.appId).traffic.received(request.payload.method)
  crashPoint('before_ack')
  crashPointOn(res, 'finish', 'after_ack')
  json(res, 200, {
    status: 'IN_QUEUE',
    request_id: requestId,
    ...requestUrls(connectionOf(req), deps.names(), known.app, requestId),
    logs: null,
    metrics: {},
    queue_position: deps.homes.of(known.app.id).positionOf(requestId) ?? 0,
  })
}

async function contentOf(
  req: IncomingMessage,
  { blobs, limits }: GatewayDeps,
): Promise<Pick<RequestPayload, 'method' | 'headers' | 'body'>> {
  const incoming = incomingBody(req, limits.bodyBytes)
  const body: StoredBody = incoming
    ? await collect(incoming.stream, blobs, limits.bodyBytes)
    : { inline: new Uint8Array() }
  return { method: 'POST', headers: forwardable(headerPairs(req.rawHeaders)), body }
}

function checkRoom({ homes, limits }: GatewayDeps, { app }: CallableApp, most: number | undefined): void {
  const { queueLength } = homes.of(app.id)
  if (queueLength < limits.queueLength && queueLength <= (most ?? Infinity)) return
  throw new CarrickError(
    'queue_full',
    `${queueLength} requests already wait for ${wireName(app)}, more than are allowed; try again later`,
  )
}
