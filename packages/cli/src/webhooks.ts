import { PlatformWebhook, PlatformWebhooks } from '@carrick/protocol/platform'
import { ask } from './ask.ts'
import { connectTo } from './connection.ts'
import { print } from './output.ts'
import { table } from './table.ts'
import type { Where } from './where.ts'

interface Flags extends Where {
  json?: boolean
}

interface ListFlags extends Flags {
  state?: string
  request?: string
  limit: string
}

/** `carrick webhooks list`: what became of each, with what its receiver last said. */
export async function listWebhooks({ state, request, limit, ...flags }: ListFlags): Promise<void> {
  const query = new URLSearchParams({
    limit,
    ...(state !== undefined && { state }),
    ...(request !== undefined && { request_id: request }),
  })
  const found = await ask(await connectTo(flags), `/v1/serverless/webhooks?${query.toString()}`)
  const { webhooks } = PlatformWebhooks.parse(found)
  print({ text: table(webhooks.map(row)) || 'No such webhooks', json: { webhooks } }, flags)
}

/** `carrick webhooks resend REQUEST`. How it went is seen in the list. */
export async function resendWebhook(request: string, flags: Flags): Promise<void> {
  const path = `/v1/serverless/webhooks/${encodeURIComponent(request)}/resend`
  const webhook = PlatformWebhook.parse(await ask(await connectTo(flags), path, {}))
  const text = `The outcome of ${request} is being sent to ${webhook.url}; \`carrick webhooks list --request ${request}\` says how that went`
  print({ text, json: webhook }, flags)
}

function row(webhook: PlatformWebhook): readonly string[] {
  const { request_id, state, attempts, last_attempt_at, last_status_code, url, last_answer } = webhook
  return [
    request_id,
    state,
    `${attempts} sent`,
    last_attempt_at ?? '-',
    last_status_code === null ? '-' : String(last_status_code),
    url,
    last_answer ?? '',
  ]
}
