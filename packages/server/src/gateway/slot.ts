import type { IncomingHttpHeaders } from 'node:http'
import { CarrickError } from '../domain/errors.ts'
import type { RequestId } from '../domain/ids.ts'
import type { EndReason } from '../domain/runner.ts'
import type { Slot } from '../home/home.ts'
import type { CallableApp } from './access.ts'
import type { GatewayDeps } from './deps.ts'
import { lastStart, StartDeadlinePassed } from './errors.ts'
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
 * it gets `startup_timeout`. Rejects with the signal's reason when that is first.
 */
export async function waitForSlot(
  { homes, startFailureOf }: Pick<GatewayDeps, 'homes' | 'startFailureOf'>,
  { app }: CallableApp,
  { requestId, deadlineMs, signal, hint }: Seeking,
): Promise<Slot> {
  signal.throwIfAborted()
  const free = homes.of(app.id).acquireNow(requestId, hint)
  if (free !== undefined) return free
  const longestMs = app.scale.startup_timeout * 1_000 + marginMs
  const callers = deadlineMs !== undefined && deadlineMs <= longestMs
  const late = new AbortController()
  const timer = setTimeout(
    () => {
      const failure = startFailureOf(app.id)
      late.abort(callers ? new StartDeadlinePassed(failure) : noRunner(longestMs, failure))
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

function noRunner(longestMs: number, failure: EndReason | undefined): CarrickError {
  const seconds = Math.round(longestMs / 1_000)
  return new CarrickError(
    'startup_timeout',
    `No runner of the app was free within ${seconds} seconds${lastStart(failure)}; try again or use the queue`,
  )
}
