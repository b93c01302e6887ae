import type { Moment } from '../kit/clock.ts'
import type { DropReason } from './admission.ts'
import type { Day } from './days.ts'
import type { LogLine, LogQuery } from './log-store.ts'

/** What the log thread is told about its work. */
export interface ThreadData {
  readonly folder: string
  readonly retentionDays: number
  readonly linesPerApp: number
}

/** A line as it crosses to the thread and into the table: the columns of `day-file.ts`, in their order. */
export type PackedLine = readonly [
  at: Moment,
  source: string,
  level: string,
  message: string,
  accountId: string,
  appId: string | null,
  revisionId: string | null,
  runnerId: string | null,
  requestId: string | null,
]

/** Lines of one owner that were left out since the last batch. */
export interface Drop {
  readonly owner: string
  readonly reason: DropReason
  readonly accountId: string
  readonly appId: string | null
  readonly at: Moment
  readonly lines: number
}

/** Lines, newest first. Whatever is as new as `stoppedAt` and matches is among them; older lines were not looked at. */
export interface Found {
  readonly lines: readonly LogLine[]
  readonly stoppedAt?: Moment
}

export type ToThread =
  | {
      readonly kind: 'append'
      readonly lines: readonly PackedLine[]
      readonly drops: readonly Drop[]
      readonly today: Day
    }
  | { readonly kind: 'query'; readonly id: number; readonly query: LogQuery; readonly today: Day }
  | { readonly kind: 'close' }

export type FromThread =
  | { readonly kind: 'appended' }
  | {
      readonly kind: 'counted'
      readonly day: Day
      readonly counts: readonly (readonly [owner: string, lines: number])[]
    }
  | ({ readonly kind: 'found'; readonly id: number } & Found)
  | { readonly kind: 'failed'; readonly id: number; readonly message: string }
  | { readonly kind: 'warning'; readonly fields: object; readonly message: string }

export function pack(line: LogLine): PackedLine {
  const { at, source, level, message, accountId, appId, revisionId, runnerId, requestId } = line
  return [at, source, level, message, accountId, appId ?? null, revisionId ?? null, runnerId ?? null, requestId ?? null]
}
