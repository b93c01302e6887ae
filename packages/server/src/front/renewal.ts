import type { Moment } from '../kit/clock.ts'

/** What is known about the certificate that an ACME server gave, and about asking for one. */
export interface Standing {
  readonly held?: { readonly names: readonly string[]; readonly validFrom: Moment; readonly validTo: Moment }
  /** Orders that failed since the last one that did not. */
  readonly failures: number
  readonly triedAt: Moment
}

export type Renewal = { readonly kind: 'order' } | { readonly kind: 'wait'; readonly until: Moment }

const firstPauseMs = 15 * 60_000
const longestPauseMs = 12 * 3_600_000

/**
 * When a certificate is ordered: at once where there is none for just these names, else when two thirds of its time are
 * over, as RFC 8555 servers advise. After a failure in a quarter of an hour, then in twice that, twelve hours at most: servers
 * count failures.
 */
export function renewal({ held, failures, triedAt }: Standing, wanted: readonly string[], now: Moment): Renewal {
  const due = held === undefined || !sameNames(held.names, wanted) ? 0 : twoThirdsOf(held.validFrom, held.validTo)
  // A moment that lies ahead is of a clock that was set back since.
  const after = failures === 0 ? 0 : Math.min(triedAt, now) + pauseMs(failures)
  const at = Math.max(due, after)
  return at <= now ? { kind: 'order' } : { kind: 'wait', until: at }
}

const pauseMs = (failures: number): number => Math.min(longestPauseMs, firstPauseMs * 2 ** (failures - 1))
const twoThirdsOf = (from: Moment, to: Moment): Moment => from + ((to - from) * 2) / 3

function sameNames(held: readonly string[], wanted: readonly string[]): boolean {
  const left = new Set(held)
  return left.size === new Set(wanted).size && wanted.every((name) => left.has(name))
}
