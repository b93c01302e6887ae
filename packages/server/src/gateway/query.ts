import { CarrickError } from '../domain/errors.ts'

/** What the query of a submit says to the platform, and the path with what is left of it for the app. */
export interface SubmitQuery {
  readonly forApp: string
  readonly maxQueueLength?: number
}

export function submitQuery(path: string): SubmitQuery {
  const at = path.indexOf('?')
  if (at === -1) return { forApp: path }
  const query = path.slice(at + 1)
  const ours = new URLSearchParams(query)
  if (ours.has('fal_webhook')) {
    throw new CarrickError(
      'bad_request',
      'Webhooks are not served by this version: leave fal_webhook out and poll the status instead',
    )
  }
  const rest = query.split('&').filter((pair) => !isOurs(pair))
  const forApp = path.slice(0, at) + (rest.length === 0 ? '' : `?${rest.join('&')}`)
  return { forApp, maxQueueLength: wholeNumber(ours.get('fal_max_queue_length')) }
}

export function wantsLogs(query: URLSearchParams): boolean {
  return isOn(query, 'logs')
}

export function wantsTimeline(query: URLSearchParams): boolean {
  return isOn(query, 'timeline')
}

/** On for every word that clients have for it. */
function isOn(query: URLSearchParams, name: string): boolean {
  return ['1', 'true', 'yes', 'on'].includes(query.get(name)?.trim().toLowerCase() ?? '')
}

const isOurs = (pair: string): boolean => new URLSearchParams(pair).has('fal_max_queue_length')

function wholeNumber(text: string | null): number | undefined {
  if (text === null) return undefined
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new CarrickError('bad_request', 'fal_max_queue_length must be a whole number, 0 or more')
}
