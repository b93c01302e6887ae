import { setTimeout as rest } from 'node:timers/promises'
import type { RequestId } from '../domain/ids.ts'
import { afterDelivery, deliveryTimeoutMs } from '../domain/webhook.ts'
import type { AfterDelivery } from '../domain/webhook.ts'
import { crashPoint } from '../kit/crash-points.ts'
import { resultOf } from '../store/bodies.ts'
import { requestById } from '../store/requests.ts'
import { originalOf } from '../store/retries.ts'
import { recordDelivery, type DeliveryRecord, type DueWebhook } from '../store/webhooks.ts'
import { messageOf, type Message } from './message.ts'
import { post, type Posted } from './post.ts'
import type { WebhookParts } from './parts.ts'

/** Makes one delivery and puts on disk how it ended; answers what follows. Rejects when the signal says so. */
export async function deliver(
  due: DueWebhook,
  parts: WebhookParts,
  signal: AbortSignal,
): Promise<AfterDelivery['kind']> {
  const { requestId } = due
  const attempt = due.attempts + 1
  const { end, said } = await posted(due, attempt, parts, signal)
  crashPoint('after_delivery')
  const now = parts.clock.now()
  const next = afterDelivery(attempt, end, now, parts.random())
  const status = end.kind === 'answered' ? end.status : undefined
  const state = next.kind === 'again' ? 'due' : next.kind
  const dueAt = next.kind === 'again' ? next.dueAt : undefined
  await record({ requestId, attempt, state, dueAt, now, status, said }, parts, signal)
  if (next.kind === 'failed') parts.log.info({ requestId, status, attempt }, 'a webhook will not be tried again')
  return next.kind
}

async function posted(due: DueWebhook, attempt: number, parts: WebhookParts, signal: AbortSignal): Promise<Posted> {
  const timeoutMs = deliveryTimeoutMs(attempt)
  const way = { ...parts.way, headersTimeoutMs: timeoutMs }
  try {
    const message = await read(due.requestId, parts)
    if (message === undefined) return { end: { kind: 'unsendable' }, said: 'not sent: the request is kept no longer' }
    const headers = await signed(due, message, parts)
    return await post({ url: new URL(due.url), message, headers, way, timeoutMs, signal })
  } catch (error) {
    signal.throwIfAborted()
    parts.log.error({ err: error, requestId: due.requestId }, 'a webhook could not be made; that is tried again')
    return { end: { kind: 'unanswered' }, said: 'not sent: the server could not make it; its own log says why' }
  }
}

/** What there is to tell; undefined when the request is gone. */
async function read(requestId: RequestId, { store, blobs, mostBytes }: WebhookParts): Promise<Message | undefined> {
  const [request, result, original] = await Promise.all([
    store.read(requestById(requestId)),
    store.read(resultOf(requestId)),
    store.read(originalOf(requestId)),
  ])
  return request && messageOf({ ...request, original }, result, { blobs, mostBytes })
}

/** The four headers by which a receiver knows that it was us (client-protocol.md §12). */
async function signed({ requestId, accountId }: DueWebhook, { sha256 }: Message, { signer, wallClock }: WebhookParts) {
  const timestamp = String(Math.floor(wallClock.now() / 1_000))
  return {
    'x-fal-webhook-request-id': requestId,
    'x-fal-webhook-user-id': accountId,
    'x-fal-webhook-timestamp': timestamp,
    'x-fal-webhook-signature': await signer.sign([requestId, accountId, timestamp, sha256].join('\n')),
  }
}

const firstRestMs = 500
const longestRestMs = 30_000

/** What has been sent is not sent again only because the store has no room to say so: it waits until there is. */
async function record(ended: DeliveryRecord, { store, log }: WebhookParts, signal: AbortSignal): Promise<void> {
  for (let restMs = firstRestMs; ; restMs = Math.min(2 * restMs, longestRestMs)) {
    try {
      return void (await store.commit(recordDelivery(ended)))
    } catch (error) {
      log.warn({ err: error, requestId: ended.requestId, restMs }, 'how a webhook ended could not be stored; it waits')
      await rest(restMs, undefined, { signal })
    }
  }
}
