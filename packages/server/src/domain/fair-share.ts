import type { QueuedRequest } from './request.ts'

/** How an app's queue divides its turns among callers; keys that are not named have the weight 1. */
export interface FairShare {
  readonly weights: Readonly<Record<string, number>>
}

/** The share of all who call without a key. */
export const anonymousShare = 'anonymous'

/** Whose turn a request takes: its key's, whichever account that is of. Callers without a key share one. */
export function shareOf({ keyId }: Pick<QueuedRequest, 'keyId'>): string {
  return keyId ?? anonymousShare
}

export function weightOf({ weights }: FairShare, caller: string): number {
  return Object.hasOwn(weights, caller) ? (weights[caller] ?? 1) : 1
}
