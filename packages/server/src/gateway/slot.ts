import type { IncomingHttpHeaders } from 'node:http'
import { CarrickError } from '../domain/errors.ts'
import type { RequestId } from '../domain/ids.ts'
import type { Slot } from '../home/home.ts'
import type { CallableApp } from './access.ts'
import type { GatewayDeps } from './deps.ts'
import { StartDeadlinePassed, whyNone } from './errors.ts'
import { startTimeoutMs } from './platform-headers.ts'

/** For what a cold start takes besides the runner's own start. */
const marginMs = 60_000

interface Seeking {
  readonly requestId: RequestId
  readonly deadlineMs: number | undefined
  readonly signal: AbortSignal
  readonly hint?: string | undefined
}

/** Longer timers would fire at once. */
export const longestTimerMs = 2 ** 31 - 1

/**
 * Waits for a slot. A caller that sets no deadline waits for as long as a runner may take to start, and a minute; then
 * it gets `startup_timeout`. Where the account of the app may spend no more, and it has no runner, `budget_exhausted` at once.
 * Rejects with the signal's reason when that is first.
 */
export async function waitForSlot(
  {
    homes,
    startFailureOf,
    unplacedOf,
    isOverBudget,
  }: Pick<GatewayDeps, 'homes' | 'startFailureOf' | 'unplacedOf' | 'isOverBudget'>,
  { app }: CallableApp,
  { requestId, deadlineMs, signal, hint }: Seeking,
): Promise<Slot> {
  signal.throwIfAborted()
  const free = homes.of(app.id).acquireNow(requestId, hint)
  if (free !== undefined) return free
  if (isOverBudget?.(app.id)) throw budgetExhausted(app)
  const longestMs = app.scale.startup_timeout * 1_000 + marginMs
  const callers = deadlineMs !== undefined && deadlineMs <= longestMs
  const late = new AbortController()
  const timer = setTimeout(
    () => {
      const why = whyNone(startFailureOf(app.id), unplacedOf?.(app.id))
      late.abort(callers ? new StartDeadlinePassed(why) : noRunner(longestMs, why))
    },
    Math.min(callers ? deadlineMs : longestMs, longestTimerMs),
  )
  try {
    return await homes.of(app.id).acquire(requestId, AbortSignal.any([signal, late.signal]), hint)
  } finally {
    clearTimeout(timer)
  }
}

/** How long a request may wait to start: the caller's word, else what the app has set for its owner's own requests. */
export function startLimitMs(headers: IncomingHttpHeaders, { app }: CallableApp, owner: boolean): number | undefined {
  const own = startTimeoutMs(headers)
  const preset = owner ? app.scale.request_start_timeout : undefined
  return own ?? (preset === undefined ? undefined : preset * 1_000)
}

function budgetExhausted({ owner, name }: CallableApp['app']): CarrickError {
  return new CarrickError(
    'budget_exhausted',
    `No runner of ${owner}/${name} is started: its account has spent what it may spend this month. Whoever runs the server can raise that (\`carrick accounts set ${owner} --monthly-limit\`)`,
  )
}

function noRunner(longestMs: number, why: string): CarrickError {
  const seconds = Math.round(longestMs / 1_000)
  return new CarrickError(
    'startup_timeout',
    `No runner of the app was free within ${seconds} seconds${why}; try again or use the queue`,
  )
}
