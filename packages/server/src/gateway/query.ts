import { CarrickError } from '../domain/errors.ts'

/** What the query of a submit says to the platform, and the path with what is left of it for the app. */
export interface SubmitQuery {
  readonly forApp: string
  readonly maxQueueLength?: number
  /** Where the outcome is to be posted to, as it was sent. */
  readonly webhook?: string
}

export function submitQuery(path: string): SubmitQuery {
  const at = path.indexOf('?')
  if (at === -1) return { forApp: path }
  const query = path.slice(at + 1)
  const ours = new URLSearchParams(query)
  const rest = query.split('&').filter((pair) => !isOurs(pair))
  const forApp = path.slice(0, at) + (rest.length === 0 ? '' : `?${rest.join('&')}`)
  const webhook = ours.get('fal_webhook')
  return {
    forApp,
    maxQueueLength: wholeNumber(ours.get('fal_max_queue_length')),
    ...(webhook !== null && { webhook }),
  }
}

export function wantsLogs(query: URLSearchParams): boolean {
  return isOn(query, 'logs')
}

export function wantsTimeline(query: URLSearchParams): boolean {
  return isOn(query, 'timeline')
}

const tokenName = 'fal_jwt_token'

/** A path without the token in its query, which no app is to see, and the token. */
export function withoutToken(url: string): { readonly url: string; readonly token?: string } {
  if (!url.includes(tokenName)) return { url }
  const at = url.indexOf('?')
  const query = url.slice(at + 1)
  const token = at === -1 ? null : new URLSearchParams(query).get(tokenName)
  if (token === null) return { url }
  const rest = query.split('&').filter((pair) => !new URLSearchParams(pair).has(tokenName))
  return { url: url.slice(0, at) + (rest.length === 0 ? '' : `?${rest.join('&')}`), token }
}

/** On for every word that clients have for it. */
function isOn(query: URLSearchParams, name: string): boolean {
  return ['1', 'true', 'yes', 'on'].includes(query.get(name)?.trim().toLowerCase() ?? '')
}

function isOurs(pair: string): boolean {
  const named = new URLSearchParams(pair)
  return named.has('fal_max_queue_length') || named.has('fal_webhook')
}

function wholeNumber(text: string | null): number | undefined {
  if (text === null) return undefined
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new CarrickError('bad_request', 'fal_max_queue_length must be a whole number, 0 or more')
}
