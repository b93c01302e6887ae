import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import type { RequestId } from '../../domain/ids.ts'
import { webhookStates } from '../../domain/webhook.ts'
import { resendWebhook, webhooksOfAccount, type StoredWebhook } from '../../store/webhooks.ts'
import type { Deps } from '../deps.ts'
import { operation } from '../operation.ts'
import type { Page } from '../platform/input.ts'
import { pageOf } from '../platform/input.ts'

/** What the account's keys asked to be told of, and what became of it: those of the newest requests first. */
export const listWebhooks = operation(
  {
    permission: 'requests:read',
    input: z.object({
      requestId: z.string().optional(),
      state: z.enum(webhookStates).optional(),
      limit: z.number(),
      before: z.string().optional(),
    }),
  },
  async (deps, caller, { limit, ...filter }): Promise<Page<StoredWebhook>> => {
    const found = await deps.store.read(webhooksOfAccount(caller.accountId, { ...filter, limit: limit + 1 }))
    return pageOf(found, limit, ({ requestId }) => requestId)
  },
)

/** Sends the outcome of a request once more, now, whatever became of it before. */
export const resend = operation(
  { permission: 'apps:call', input: z.object({ requestId: z.string() }) },
  async (deps, caller, { requestId }): Promise<StoredWebhook> => {
    const isDue = await deps.store.commit(resendWebhook(caller.accountId, requestId, deps.clock.now()))
    const webhook = await ownWebhook(deps, caller.accountId, requestId)
    if (isDue) return webhook
    throw new CarrickError(
      'bad_request',
      `Request "${requestId}" has no outcome yet: its webhook is sent when it has, and can be sent again from then on`,
    )
  },
  { action: 'resend_webhook', about: ({ requestId }) => ({ subject: requestId }) },
)

async function ownWebhook({ store }: Deps, accountId: string, requestId: RequestId): Promise<StoredWebhook> {
  const [webhook] = await store.read(webhooksOfAccount(accountId, { requestId, limit: 1 }))
  if (webhook !== undefined) return webhook
  throw new CarrickError(
    'request_not_found',
    `Request "${requestId}" not found among those of your account that have a webhook: \`carrick webhooks list\` shows them`,
  )
}
