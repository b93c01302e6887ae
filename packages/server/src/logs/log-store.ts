import type { AccountId, AppId, RequestId, RevisionId, RunnerId } from '../domain/ids.ts'
import type { Moment } from '../kit/clock.ts'

export type LogSource = 'builder' | 'bridge' | 'user'
export type LogLevel = 'trace' | 'debug' | 'info' | 'warning' | 'error' | 'stdout' | 'stderr'

export interface LogLine {
  readonly at: Moment
  readonly source: LogSource
  readonly level: LogLevel
  readonly message: string
  readonly accountId: AccountId
  readonly appId?: AppId
  readonly revisionId?: RevisionId
  readonly runnerId?: RunnerId
  readonly requestId?: RequestId
}

/** Which lines are meant; what is absent leaves the choice open. */
export interface LogFilter {
  readonly accountId?: AccountId
  readonly appId?: AppId
  readonly revisionId?: RevisionId
  readonly runnerId?: RunnerId
  readonly requestId?: RequestId
  readonly source?: LogSource
  /** One of these. */
  readonly levels?: readonly LogLevel[]
  /** Only lines that tell of an exception with its traceback. */
  readonly traceback?: true
  /** Case-insensitive part of the message. */
  readonly search?: string
}

export interface LogQuery extends LogFilter {
  /** Inclusive. */
  readonly since?: Moment
  /** Exclusive. */
  readonly until?: Moment
  readonly limit: number
}

export interface LogPage {
  /** Newest first. Fewer than were asked for, or none, do not mean that there are no more. */
  readonly lines: readonly LogLine[]
  /** Older lines than these may match: ask again with this as `until`. Absent when all have been looked at. */
  readonly nextUntil?: Moment
}

/** Lines as they come, for one reader, in the order in which they were appended. */
export interface LogTail extends Disposable {
  /**
   * The lines that came since the last call. Waits for the first of them; none when the signal aborts before. Rejects
   * with `too_busy` once the reader is too far behind: what came later is not kept for it.
   */
  next(signal: AbortSignal): Promise<readonly LogLine[]>
}

/** Log lines in, queries out. A flood of lines never touches the store's writer. */
export interface LogStore {
  /** Takes a line and returns at once. Beyond an app's bound lines are dropped, and one line says how many. */
  append(line: LogLine): void
  /**
   * At most `limit` lines, found within a tenth of a second or so: where the search took longer, the page says how far
   * it came. Lines of one millisecond stay together, so that no page begins in the middle of them. Sees every line
   * appended before the call.
   */
  page(query: LogQuery): Promise<LogPage>
  /** The newest lines of all that match, newest first, however long it takes to find them. Sees every line appended before the call. */
  query(query: LogQuery): Promise<readonly LogLine[]>
  /** The newest lines of one runner that are still in memory, oldest first: for deploy errors. */
  tail(runnerId: RunnerId, limit: number): readonly LogLine[]
  /**
   * Every line that is appended after the call. With a `query` made in the same turn nothing is missing between the
   * two, and nothing is in both. Throws `too_busy` when there are too many readers already.
   */
  follow(filter: LogFilter): LogTail
  /** How many lines were left out since the start, because there were too many. */
  readonly dropped: number
  close(): Promise<void>
}
