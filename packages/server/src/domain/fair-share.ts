import type { KeyId } from './ids.ts'
import type { QueueSettings } from './queue-settings.ts'
import type { QueuedRequest } from './request.ts'

/** How an app's queue divides its turns among callers: by weight; who is not named has 1. */
export interface FairShare {
  readonly weights: ReadonlyMap<string, number>
}

/** The share of all who call without a key. It can be given a weight by this word. */
const anonymous = 'anonymous'

/** Whose turn a request takes: its key's, whichever account that is of. Callers without a key share one. */
export function shareOf({ keyId }: Pick<QueuedRequest, 'keyId'>): string {
  return keyId ?? anonymous
}

export function weightOf({ weights }: FairShare, share: string): number {
  return weights.get(share) ?? 1
}

/**
 * What the settings come to with these keys of the app's owner, by their aliases; undefined where callers take no turns.
 * A key that is named by its id has that weight, whatever its alias has; an alias speaks for every key that has it.
 */
export function fairShareIn(
  { fair_share, weights }: QueueSettings,
  aliases: Iterable<readonly [KeyId, string]>,
): FairShare | undefined {
  if (!fair_share) return undefined
  const named = [...aliases].flatMap(([id, alias]) =>
    Object.hasOwn(weights, alias) ? [[id, weights[alias] ?? 1] as const] : [],
  )
  return { weights: new Map([...named, ...Object.entries(weights)]) }
}
