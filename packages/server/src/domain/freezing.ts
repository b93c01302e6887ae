import type { Moment } from '../kit/clock.ts'
import type { App } from './app.ts'
import { CarrickError } from './errors.ts'
import type { Runner } from './runner.ts'

/** What counts of a runner when it is asked whether it may be stopped in its tracks. */
export interface Freezable {
  readonly runner: Pick<Runner, 'state'>
  /** Requests, streams and WebSockets that it holds. */
  readonly inFlight: number
  readonly idleSince: Moment
  /** Since when it is frozen. */
  readonly frozenSince?: Moment | undefined
}

/** What its app's owner wants, in milliseconds of idleness; undefined: it is never frozen. */
export type FreezeAfter = number | undefined

/** What becomes of it now, or the moment at which there may be something to do; undefined: nothing, whatever time it gets. */
export type FreezeStep = 'freeze' | 'thaw' | { readonly lookAt: Moment } | undefined

/**
 * Whether an idle runner is to be frozen. One that holds something is not, nor one that starts or ends; one that is frozen
 * stays so until something is sent to it, unless its app is to be frozen no more. `isAttended`: somebody is at it beside its
 * requests, such as a health check or a shell.
 */
export function freezeStep(
  { runner, inFlight, idleSince, frozenSince }: Freezable,
  { afterMs, isAttended }: { readonly afterMs: FreezeAfter; readonly isAttended: boolean },
  now: Moment,
): FreezeStep {
  if (runner.state !== 'serving') return undefined
  if (afterMs === undefined) return frozenSince === undefined ? undefined : 'thaw'
  if (frozenSince !== undefined || isAttended) return undefined // who is at it says when that is over
  // Nobody tells when a runner becomes idle: none that is busy now has been idle for so long before then.
  const at = inFlight > 0 ? now + afterMs : idleSince + afterMs
  return at <= now ? 'freeze' : { lookAt: at }
}

/** After how much idleness an app's runners are frozen: as its owner says, else as the installation does. 0 is never. */
export function freezeAfterMs(app: Pick<App, 'freezeAfter'>, installationSeconds: number): FreezeAfter {
  const seconds = app.freezeAfter ?? installationSeconds
  return seconds === 0 ? undefined : seconds * 1_000
}

/** Whole weeks of idleness say the same as never. */
export const mostFreezeAfter = 604_800

/** Throws `bad_request` with a sentence for what cannot be set. */
export function checkedFreezeAfter(seconds: number): number {
  if (Number.isInteger(seconds) && seconds >= 0 && seconds <= mostFreezeAfter) return seconds
  const range = `0 (never), or a whole number of seconds from 1 to ${mostFreezeAfter}`
  throw new CarrickError('bad_request', `freeze_after is ${seconds}, but must be ${range}`)
}
