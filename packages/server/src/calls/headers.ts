import type { RequestId, RunnerId } from '../domain/ids.ts'
import { wireName } from '../domain/names.ts'
import type { HeaderPairs } from '../domain/request.ts'
import type { Answered } from '../domain/retry.ts'

/** They speak of one connection, not of the message. */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
])

/** And those that are between the caller and this platform only: the key is no business of the app. */
const notForTheApp = new Set([...hopByHop, 'authorization', 'host', 'expect'])

/** The platform's own prefixes are the caller's to use for these alone. */
const passedOn = new Set(['x-fal-object-lifecycle-preference', 'x-fal-cdn-token'])

/** What of a caller's headers may be stored and sent to an app. Filtering twice changes nothing. */
export function forwardable(headers: HeaderPairs): HeaderPairs {
  const named = namedByConnection(headers)
  return headers.filter(
    ([name]) =>
      !notForTheApp.has(name) &&
      !named.has(name) &&
      !name.startsWith('x-carrick-') &&
      (!name.startsWith('x-fal-') || passedOn.has(name)),
  )
}

/** Who calls what, as the app is told. */
export interface Origin {
  readonly requestId: RequestId
  /** `owner/app/path`, without the query. */
  readonly endpoint: string
  readonly callerId: string
  /** Which attempt of a queued request this is, counted from 1. */
  readonly attempt?: number
}

export function headersToRunner(headers: HeaderPairs, { requestId, endpoint, callerId, attempt }: Origin): HeaderPairs {
  return [
    ...forwardable(headers),
    ['x-fal-request-id', requestId],
    ['x-fal-endpoint', endpoint],
    ['x-fal-caller-user-id', callerId],
    ...(attempt === undefined ? [] : [['x-carrick-attempt', String(attempt)] as const]),
  ]
}

/** `owner/app/path` for a path below the app. */
export function endpointOf(app: { owner: string; name: string }, path: string): string {
  return `${wireName(app)}${pathOnly(path)}`
}

export function pathOnly(path: string): string {
  const query = path.indexOf('?')
  return query < 0 ? path : path.slice(0, query)
}

/**
 * A browser that shows an answer as a page gives it an origin of its own: apps share this server's address with its
 * pages, where people type keys, and with one another. To programs the header says nothing.
 */
const ofItsOwnOrigin =
  'sandbox allow-scripts allow-forms allow-modals allow-downloads allow-popups allow-popups-to-escape-sandbox'

/** What of an app's response headers its caller gets, and where the answer came from. */
export function headersToCaller(
  headers: HeaderPairs,
  { status, requestId, runnerId }: { status: number; requestId: RequestId; runnerId: RunnerId },
): HeaderPairs {
  const named = namedByConnection(headers)
  const kept = headers.filter(
    ([name]) =>
      !hopByHop.has(name) && !named.has(name) && !ours.has(name) && (name !== needsRetry || mayAskForRetry(status)),
  )
  return [
    ...kept,
    ['content-security-policy', ofItsOwnOrigin],
    ['x-fal-request-id', requestId],
    ['x-fal-served-from', runnerId],
  ]
}

const needsRetry = 'x-fal-needs-retry'
const stopRunner = 'x-fal-stop-runner'
const checkHealth = 'x-fal-runner-health-check'
const runnerHints = 'x-fal-runner-hints'
const ours = new Set([stopRunner, checkHealth, 'x-fal-request-id', 'x-fal-served-from'])

const mayAskForRetry = (status: number): boolean => status >= 500 || status === 429

/** What an app's answer asks of the platform. Other words than the known ones ask for nothing. */
export function answered(status: number, headers: HeaderPairs): Answered {
  const end: { -readonly [Field in keyof Answered]: Answered[Field] } = { kind: 'answered', status }
  for (const [name, value] of headers) {
    if (!name.startsWith('x-fal-')) continue
    if (name === needsRetry) end.needsRetry ??= wish(value, ['1'], ['0'])
    else if (name === stopRunner) end.stopRunner ??= wish(value, ['1', 'true'], ['0', 'false'])
    else if (name === checkHealth) end.checkHealth ??= wish(value, ['1', 'true'], ['0', 'false'])
    else if (name === runnerHints) end.hints = [...(end.hints ?? []), ...listed(value)]
  }
  return end
}

function wish(value: string, yes: readonly string[], no: readonly string[]): boolean | undefined {
  const word = value.trim().toLowerCase()
  return yes.includes(word) ? true : no.includes(word) ? false : undefined
}

function listed(value: string): string[] {
  return value
    .split(',')
    .map((hint) => hint.trim())
    .filter((hint) => hint !== '')
}

/** What else speaks of one connection. Nearly every message names nothing but what always does. */
function namedByConnection(headers: HeaderPairs): ReadonlySet<string> {
  let named: Set<string> | undefined
  for (const [name, value] of headers) {
    if (name !== 'connection' || usualOfConnection.has(value)) continue
    named ??= new Set()
    for (const other of value.split(',')) named.add(other.trim().toLowerCase())
  }
  return named ?? none
}

const usualOfConnection: ReadonlySet<string> = new Set(['keep-alive', 'close'])
const none: ReadonlySet<string> = new Set()

/** Names and values by turns, as undici and Node take them. */
export function flat(headers: HeaderPairs): string[] {
  const all: string[] = []
  for (const [name, value] of headers) all.push(name, value)
  return all
}

/** Answers of this size or less go out in one piece with their headers. */
const onePieceBytes = 64 * 1024

/** Whether an answer says that it is so small. */
export function fitsOnePiece(headers: HeaderPairs): boolean {
  const length = headers.find(([name]) => name === 'content-length')?.[1]
  return length !== undefined && Number(length) <= onePieceBytes
}
