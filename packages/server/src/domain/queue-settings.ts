import { CarrickError } from './errors.ts'

/** What an owner sets of an app's queue. It is no part of a deploy: it takes effect at once and stays across deploys. */
export interface QueueSettings {
  /** Whether requests wait until the queue is resumed. Direct calls are none of the queue's. */
  readonly paused: boolean
  /** Whether callers take turns within a priority, each by its weight, instead of first in, first out for all. */
  readonly fair_share: boolean
  /** The weight of a caller, by key id or by the key's alias; who is not named has 1. */
  readonly weights: Readonly<Record<string, number>>
  /** How long requests are kept once they have ended; 0 is for ever. Absent: as the server is set. Fractions count. */
  readonly retention_days?: number
}

/** Of an app whose owner has said nothing. */
export const queueDefaults: QueueSettings = { paused: false, fair_share: false, weights: {} }

/** Settings as somebody changes them: what is absent stays, null goes back to the default. */
export interface QueueChanges {
  readonly paused?: boolean | undefined
  readonly fair_share?: boolean | undefined
  /** Caller by caller; null takes one's weight away. */
  readonly weights?: Readonly<Record<string, number | null>> | undefined
  readonly retention_days?: number | null | undefined
}

/** The settings with what was said. Throws `bad_request` with a sentence for what cannot be. */
export function changedQueue(queue: QueueSettings, said: QueueChanges): QueueSettings {
  const { retention_days: days = queue.retention_days } = said
  return {
    paused: said.paused ?? queue.paused,
    fair_share: said.fair_share ?? queue.fair_share,
    weights: checkedWeights({ ...queue.weights, ...said.weights }),
    ...(typeof days === 'number' && { retention_days: checkedDays(days) }),
  }
}

const mostWeight = 100
const mostWeights = 1_000
const longestName = 200

function checkedWeights(weights: Readonly<Record<string, number | null>>): QueueSettings['weights'] {
  const named = Object.entries(weights).flatMap(([caller, weight]) =>
    weight === null ? [] : [[caller, weight] as const],
  )
  for (const [caller, weight] of named) {
    if (caller === '' || caller.length > longestName)
      throw bad(`weights names a key by its id or alias, in ${longestName} characters at most`)
    if (!Number.isInteger(weight) || weight < 1 || weight > mostWeight)
      throw bad(`The weight of "${caller}" is ${weight}, but must be a whole number from 1 to ${mostWeight}`)
  }
  if (named.length > mostWeights) throw bad(`weights names ${named.length} callers; ${mostWeights} are allowed`)
  return Object.fromEntries(named)
}

/** Shorter than this, and nobody could fetch a result. */
const leastDays = 1 / 86_400
const mostDays = 36_500

function checkedDays(days: number): number {
  if (days === 0 || (days >= leastDays && days <= mostDays)) return days
  throw bad(`retention_days is ${days}, but must be 0 (for ever), or from a second (${leastDays}) to ${mostDays} days`)
}

const bad = (message: string) => new CarrickError('bad_request', message)
