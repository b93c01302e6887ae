import type { ErrorCode } from './errors.ts'
import type { KeyId } from './ids.ts'
import type { RequestState } from './request.ts'

/**
 * What can be asked for by status. The first three are the words of a status answer, where `completed` is all that has
 * ended; the others tell how: `failed` is an error by whoever gave it, `dead` one that came of too few attempts.
 */
export const requestWords = [
  'in_queue',
  'in_progress',
  'completed',
  'succeeded',
  'failed',
  'cancelled',
  'dead',
] as const
export type RequestWord = (typeof requestWords)[number]

/** Which of an app's requests are meant; what is absent leaves the choice open. */
export interface RequestFilter {
  readonly status?: RequestWord | undefined
  /** As whom the app was told its caller is. */
  readonly callerId?: string | undefined
  readonly keyId?: KeyId | undefined
  /** A path of the app, and what lies below it. */
  readonly route?: string | undefined
  readonly error?: string | undefined
}

/** What a filter looks at. */
interface Filtered {
  readonly state: RequestState
  readonly status?: number
  readonly error?: { readonly code: ErrorCode }
  readonly dead: boolean
  readonly keyId?: KeyId
  readonly input?: { readonly path: string; readonly callerId: string }
}

/** Where those that are meant can be: among the requests without an outcome, and among which of the others. */
export function placesOf({ status, error }: RequestFilter): {
  readonly open: boolean
  readonly ended?: 'all' | 'failed' | 'dead'
} {
  if (status === 'in_queue' || status === 'in_progress') return { open: error === undefined }
  if (status === 'dead') return { open: false, ended: 'dead' }
  if (status === 'failed' || status === 'cancelled' || error !== undefined) return { open: false, ended: 'failed' }
  return { open: status === undefined, ended: 'all' }
}

/** Whether anything is asked beyond the place. */
export function isChoosy({ status, callerId, keyId, route, error }: RequestFilter): boolean {
  const byPlace = status === undefined || status === 'completed' || status === 'dead'
  return !byPlace || [callerId, keyId, route, error].some((each) => each !== undefined)
}

/** Whether a request is one of those that are meant. */
export function isMeant(request: Filtered, { status, callerId, keyId, route, error }: RequestFilter): boolean {
  return (
    (status === undefined || hasStatus(request, status)) &&
    (callerId === undefined || request.input?.callerId === callerId) &&
    (keyId === undefined || request.keyId === keyId) &&
    (error === undefined || request.error?.code === error) &&
    (route === undefined || isBelow(route, request.input?.path))
  )
}

function hasStatus({ state, status = 0, error, dead }: Filtered, asked: RequestWord): boolean {
  const cancelled = error?.code === 'client_cancelled'
  switch (asked) {
    case 'in_queue':
      return state === 'waiting'
    case 'in_progress':
      return state === 'running'
    case 'completed':
      return state === 'completed'
    case 'succeeded':
      return state === 'completed' && status < 400
    case 'failed':
      return status >= 400 && !cancelled
    case 'cancelled':
      return cancelled
    default:
      return dead
  }
}

/** The whole app is below `/`. */
function isBelow(route: string, path: string | undefined): boolean {
  if (path === undefined) return false
  const [asked = ''] = path.split('?')
  const above = route.replace(/\/+$/, '')
  return asked === above || asked.startsWith(`${above}/`)
}
