import type { IncomingMessage } from 'node:http'
import { collect, inlineBytes } from '../blobs/collect.ts'
import { forwardable } from '../calls/headers.ts'
import { CarrickError } from '../domain/errors.ts'
import { wireName } from '../domain/names.ts'
import { webhookUrl } from '../domain/webhook.ts'
import type { NewRequest, RequestPayload, StoredBody } from '../domain/request.ts'
import { accept } from '../home/accept.ts'
import { requestNamed, type Earlier, type IdempotencyKey } from '../store/idempotency.ts'
import { callableApp, callerIdFor, callerOf, owns, type CallableApp } from './access.ts'
import { json } from './answers.ts'
import { incomingBody, smallBody } from './body.ts'
import { connectionOf } from './connection.ts'
import type { Exchange, GatewayDeps } from './deps.ts'
import { idempotencyKeyIn, nameOf, sameRequest } from './idempotency.ts'
import { forbidsKeeping, forbidsRetries, headerPairs, hintOf, priorityOf, retryBudgets } from './platform-headers.ts'
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
  const key = idempotencyKeyIn(req.headers)
  const full = fullness(deps, known, maxQueueLength)
  if (full && key === undefined) throw full
  const startMs = startLimitMs(req.headers, known, owner)
  const request: NewRequest = {
    id: requestId,
    appId: known.app.id,
    keyId: caller?.keyId,
    priority: priorityOf(req.headers),
    acceptedAt,
    hint: hintOf(req.headers),
    startBy: startMs === undefined ? undefined : acceptedAt + startMs,
    ...(url !== undefined && { webhook: { url, accountId: caller?.accountId ?? known.app.accountId } }),
    retry: { forbidden: forbidsRetries(req.headers), budgets: owner ? retryBudgets(req.headers) : {} },
    dropIo: forbidsKeeping(req.headers),
    payload: { ...(await contentOf(req, deps)), path: forApp, callerId: callerIdFor(caller, known) },
  }
  const name = key === undefined ? undefined : nameOf(key, request.payload)
  const earlier = full && name ? await namedBefore(deps, request, name, full) : await accept(deps, request, name)
  if (earlier === undefined) deps.homes.of(request.appId).traffic.received(request.payload.method)
  const id = earlier && name ? sameRequest(earlier, name, caller !== undefined) : requestId
  const answer = {
    status: 'IN_QUEUE',
    request_id: id,
    ...requestUrls(connectionOf(req), deps.names(), known.app, id),
    logs: null,
    metrics: {},
    queue_position: deps.homes.of(known.app.id).positionOf(id) ?? 0,
  }
  json(res, 200, answer, earlier && [['idempotent-replayed', 'true']])
}

/** A queue that takes nothing more still knows what it has taken. */
async function namedBefore(
  { store }: GatewayDeps,
  { appId, payload }: NewRequest,
  { key }: IdempotencyKey,
  full: CarrickError,
): Promise<Earlier> {
  const earlier = await store.read(requestNamed({ appId, callerId: payload.callerId }, key))
  if (earlier === undefined) throw full
  return earlier
}

async function contentOf(
  req: IncomingMessage,
  { blobs, limits }: GatewayDeps,
): Promise<Pick<RequestPayload, 'method' | 'headers' | 'body'>> {
  return { method: 'POST', headers: forwardable(headerPairs(req.rawHeaders)), body: await bodyOf(req, blobs, limits) }
}

async function bodyOf(
  req: IncomingMessage,
  blobs: GatewayDeps['blobs'],
  { bodyBytes }: GatewayDeps['limits'],
): Promise<StoredBody> {
  const small = smallBody(req, Math.min(bodyBytes, inlineBytes))
  if (small !== undefined) return { inline: await small }
  const incoming = incomingBody(req, bodyBytes)
  return incoming ? await collect(incoming.stream, blobs, bodyBytes) : { inline: new Uint8Array() }
}

/** Why nothing more is taken into the queue; undefined while there is room. */
function fullness(
  { homes, limits }: GatewayDeps,
  { app }: CallableApp,
  most: number | undefined,
): CarrickError | undefined {
  const { queueLength } = homes.of(app.id)
  if (queueLength < limits.queueLength && queueLength <= (most ?? Infinity)) return undefined
  return new CarrickError(
    'queue_full',
    `${queueLength} requests already wait for ${wireName(app)}, more than are allowed; try again later`,
  )
}
