import { PlatformWebhook, PlatformWebhooks } from '@carrick/protocol/platform'
import { z } from 'zod'
import { webhookStates } from '../../../domain/webhook.ts'
import type { StoredWebhook } from '../../../store/webhooks.ts'
import { listWebhooks, resend } from '../../deliveries/deliveries.ts'
import { described } from './described.ts'
import { cursor, limitTo, paged } from './paging.ts'
import { isoOrNull, type Route } from './route.ts'

/** What receivers were told, and what they verify it with. */
export const webhookRoutes: readonly Route[] = [
  described('GET', '/v1/serverless/webhooks', listWebhooks, {
    summary: "The webhooks of the account's requests, and what became of them, newest first",
    query: z.object({
      state: z.enum(webhookStates).optional(),
      request_id: z.string().max(200).optional(),
      limit: limitTo(1_000),
      cursor,
    }),
    answer: PlatformWebhooks,
    read: ({ query: { request_id, cursor: before, ...query } }) => ({ ...query, requestId: request_id, before }),
    show: ({ items, next }) => ({ webhooks: items.map(shownWebhook), ...paged(next) }),
  }),

  described('POST', '/v1/serverless/webhooks/:request/resend', resend, {
    summary: 'Sends the outcome of a request to its webhook once more, now',
    answer: PlatformWebhook,
    read: ({ params }) => ({ requestId: params['request'] ?? '' }),
    show: shownWebhook,
  }),

  {
    method: 'GET',
    path: '/.well-known/jwks.json',
    permission: 'anyone',
    audited: false,
    forBrowsers: true,
    call: async ({ signer }) =>
      Response.json(await signer.publicKeys(), { headers: { 'cache-control': 'public, max-age=3600' } }),
  },
]

function shownWebhook({ requestId, url, state, attempts, dueAt, triedAt, status, said }: StoredWebhook) {
  return {
    request_id: requestId,
    url,
    state,
    attempts,
    next_attempt_at: isoOrNull(dueAt),
    last_attempt_at: isoOrNull(triedAt),
    last_status_code: status ?? null,
    last_answer: said ?? null,
  }
}
