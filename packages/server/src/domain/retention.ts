import type { Moment } from '../kit/clock.ts'
import type { AppId } from './ids.ts'
import type { QueueSettings } from './queue-settings.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs

/** How long a result waits to be fetched whose caller wants nothing kept (`X-Fal-Store-IO: 0`). client-protocol.md §6.4. */
const unkeptMs = hourMs

/** As far back as reports can be asked about: until then a runner's row says what it was used for. */
const runnersMs = 90 * dayMs

/** How long something is kept; 0 days are for ever. */
export function keptMs(days: number): number {
  return days === 0 ? Infinity : days * dayMs
}

/** An app with requests that have ended, also one that was deleted. */
export interface EndedRequests {
  readonly appId: AppId
  /** When the first of them ended. */
  readonly oldest: Moment
  readonly queue: Pick<QueueSettings, 'retention_days'>
}

/** Rows to take away: those of one kind that ended before a moment. */
export type Chore =
  | RequestChore
  | { readonly kind: 'payloads' | 'runners'; readonly before: Moment; readonly late: false }

interface RequestChore {
  readonly kind: 'requests'
  readonly appId: AppId
  readonly before: Moment
  /** Whether the sweep has fallen behind: then it no longer rests between its steps. */
  readonly late: boolean
}

/** What is to be done now. The app whose requests are the longest overdue comes first. */
export function choresAt(
  now: Moment,
  ended: readonly EndedRequests[],
  { requestsMs }: { readonly requestsMs: number },
): readonly Chore[] {
  const overdue = ended
    .map(({ appId, oldest, queue }) => {
      const kept = queue.retention_days === undefined ? requestsMs : keptMs(queue.retention_days)
      return { appId, before: now - kept, lateMs: now - kept - oldest, kept }
    })
    .filter(({ lateMs }) => lateMs > 0)
    .toSorted((one, other) => other.lateMs - one.lateMs)
  return [
    ...overdue.map(({ appId, before, lateMs, kept }) => {
      return { kind: 'requests', appId, before, late: lateMs > toleranceMs(kept) } as const
    }),
    { kind: 'payloads', before: now - unkeptMs, late: false },
    { kind: 'runners', before: now - runnersMs, late: false },
  ]
}

/** How much longer than promised requests may stay before the sweep stops giving way: a tenth, from seconds to minutes. */
function toleranceMs(kept: number): number {
  return Math.min(Math.max(kept / 10, 5_000), 300_000)
}

/** How long to rest after a step, so that the sweep takes a quarter of the writer's time at most unless it is late. */
export function restAfter({ tookMs, late }: { readonly tookMs: number; readonly late: boolean }): number {
  return late ? 0 : 3 * tookMs
}

/** How long nothing is looked at after all is done: a tenth of the shortest time that anything is kept, within bounds. */
export function lookAgainAfter(kept: readonly number[]): number {
  return Math.min(60_000, Math.max(1_000, Math.min(...kept) / 10))
}
