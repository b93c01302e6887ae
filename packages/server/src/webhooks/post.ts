import { Readable } from 'node:stream'
import { request } from 'undici'
import { isRedirect } from '../domain/webhook.ts'
import type { DeliveryEnd } from '../domain/webhook.ts'
import { NotReachable, reach, type ReachOptions } from '../kit/reach.ts'
import type { Message } from './message.ts'

/** How a delivery ended, and what its list says of it. */
export interface Posted {
  readonly end: DeliveryEnd
  readonly said: string
}

interface PostParts {
  readonly url: URL
  readonly message: Message
  readonly headers: Readonly<Record<string, string>>
  readonly way: ReachOptions
  readonly timeoutMs: number
  /** Aborted when the platform goes down: then it rejects. */
  readonly signal: AbortSignal
}

const excerptBytes = 1_000

/** Posts a message, follows nothing, and tells how that went; rejects for the platform's own end alone. */
export async function post(parts: PostParts): Promise<Posted> {
  const timeout = AbortSignal.timeout(parts.timeoutMs)
  try {
    return await exchange(parts, AbortSignal.any([parts.signal, timeout]))
  } catch (error) {
    parts.signal.throwIfAborted()
    if (error instanceof NotReachable)
      return {
        end: { kind: 'unsendable' },
        said: `${error.message}; the operator can allow it (CARRICK_WEBHOOK_ALLOW)`,
      }
    const slow = `no answer within ${parts.timeoutMs / 1_000} seconds`
    return { end: { kind: 'unanswered' }, said: timeout.aborted ? slow : oneLine(wordsOf(error)) }
  }
}

async function exchange({ url, message, headers, way }: PostParts, signal: AbortSignal): Promise<Posted> {
  await using agent = await reach(url, way, signal)
  const content = await message.open()
  using _content = { [Symbol.dispose]: () => void (content instanceof Readable && content.destroy()) }
  const { statusCode, body } = await request(url, {
    method: 'POST',
    dispatcher: agent,
    signal,
    headers: {
      'content-type': 'application/json',
      'content-length': String(message.length),
      'user-agent': 'carrick',
      ...headers,
    },
    body: content,
  })
  const excerpt = oneLine(await beginningOf(body))
  const moved = isRedirect(statusCode) ? 'redirects are not followed' : ''
  return { end: { kind: 'answered', status: statusCode }, said: [moved, excerpt].filter(Boolean).join(': ') }
}

/** What an answer begins with. Its status counts, also when the rest breaks off or never comes. */
async function beginningOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  try {
    for await (const chunk of body) {
      chunks.push(chunk)
      length += chunk.byteLength
      if (length >= excerptBytes) break
    }
  } catch {}
  return Buffer.concat(chunks).subarray(0, excerptBytes).toString()
}

/** It is shown in terminals, and a receiver may say anything. */
function oneLine(text: string): string {
  return text
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim()
    .slice(0, excerptBytes)
}

/** Some errors of connections have a code and no words. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.message || ('code' in error ? String(error.code) : error.name)
}
