import type { Moment } from '../kit/clock.ts'
import { literalAddress } from '../kit/reach.ts'
import { CarrickError } from './errors.ts'
import type { AccountId } from './ids.ts'

/** Whom to tell of a request's outcome, as its caller asked at submit. */
export interface Webhook {
  readonly url: string
  /** Who asked: the app's own account for callers without a key. */
  readonly accountId: AccountId
}

/**
 * What became of a webhook.
 *
 *     waiting ──▶ due ──▶ delivered
 *                  ▲ └──▶ failed
 *                  └──────┘ (sent again, by hand)
 *
 * It waits for the outcome of its request, is due until a receiver took it, and failed when it will not be tried again.
 */
export const webhookStates = ['waiting', 'due', 'delivered', 'failed'] as const
export type WebhookState = (typeof webhookStates)[number]

const mostCharacters = 2_048

/** A URL that outcomes can be posted to. Throws `bad_request` for one that can never be delivered to. */
export function webhookUrl(text: string, mayReach: (address: string) => boolean): string {
  if (text.length > mostCharacters) throw refused(`it is longer than ${mostCharacters} characters`)
  const url = URL.parse(text)
  if (url === null) throw refused('it is no whole URL, such as https://example.com/hook')
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw refused('it must begin with http:// or https://')
  if (url.username !== '' || url.password !== '')
    throw refused('it holds a user name or a password: put a token into its path or query instead')
  const address = knownAddress(url)
  if (address !== undefined && !mayReach(address))
    throw refused(`${url.host} is not a public address; the operator can allow it (CARRICK_WEBHOOK_ALLOW)`)
  url.hash = ''
  return url.href
}

/** Of a host that is an address, or that means this machine everywhere. */
function knownAddress({ hostname }: URL): string | undefined {
  return /(^|\.)localhost\.?$/.test(hostname) ? '127.0.0.1' : literalAddress(hostname)
}

const refused = (why: string) => new CarrickError('bad_request', `The webhook URL (fal_webhook) is refused: ${why}`)

/** How one delivery ended. */
export type DeliveryEnd =
  | { readonly kind: 'answered'; readonly status: number }
  /** No whole answer came: refused, broken off, too slow, unknown host. */
  | { readonly kind: 'unanswered' }
  /** It cannot be sent: its address is not allowed, or what it would carry is gone. */
  | { readonly kind: 'unsendable' }

/** What follows from it. */
export type AfterDelivery =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'again'; readonly dueAt: Moment }
  | { readonly kind: 'failed' }

const mostAttempts = 31
const firstDelayMs = 5_000
const longestDelayMs = 120_000

/**
 * The schedule (client-protocol.md §12): any 2xx is success, a redirect is never followed and ends it, everything else is
 * tried again, 31 times in all, within about an hour where the receiver answers at once. The pause doubles from 5 s to
 * two minutes; chance, from 0 to 1, makes each up to a fifth shorter or longer.
 * `attempt` is counted from 1.
 */
export function afterDelivery(attempt: number, end: DeliveryEnd, now: Moment, chance: number): AfterDelivery {
  if (end.kind === 'answered' && isSuccess(end.status)) return { kind: 'delivered' }
  if (end.kind === 'unsendable' || (end.kind === 'answered' && isRedirect(end.status))) return { kind: 'failed' }
  if (attempt >= mostAttempts) return { kind: 'failed' }
  const pauseMs = Math.min(firstDelayMs * 2 ** (attempt - 1), longestDelayMs)
  return { kind: 'again', dueAt: now + Math.round(pauseMs * (0.8 + 0.4 * chance)) }
}

/** How long a receiver may take in all: 15 s at first, two minutes later. */
export function deliveryTimeoutMs(attempt: number): number {
  return attempt === 1 ? 15_000 : 120_000
}

export const isSuccess = (status: number): boolean => status >= 200 && status < 300
export const isRedirect = (status: number): boolean => status >= 300 && status < 400

/** Deliveries that may be under way at a time: in all, and to one host, so that a slow one leaves room for the others. */
export interface DeliveryLimits {
  readonly inAll: number
  readonly perHost: number
}

/** What a pass chooses from. */
export interface DueDelivery {
  readonly requestId: string
  readonly host: string
}

/** Which of those that are due, in their order, are begun now. `underWay` holds the hosts of those that are. */
export function begunNow<Due extends DueDelivery>(
  due: readonly Due[],
  underWay: readonly string[],
  { inAll, perHost }: DeliveryLimits,
): readonly Due[] {
  const busy = [...underWay]
  return due.filter(({ host }) => {
    const fits = busy.length < inAll && count(busy, host) < perHost
    if (fits) busy.push(host)
    return fits
  })
}

/** The hosts that no further delivery may go to for now. */
export function busyHosts(underWay: readonly string[], { perHost }: DeliveryLimits): readonly string[] {
  return [...new Set(underWay)].filter((host) => count(underWay, host) >= perHost)
}

const count = (hosts: readonly string[], host: string): number => hosts.filter((each) => each === host).length
