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

export interface LogQuery {
  readonly accountId?: AccountId
  readonly appId?: AppId
  readonly runnerId?: RunnerId
  readonly requestId?: RequestId
  /** Case-insensitive part of the message. */
  readonly search?: string
  /** Inclusive. */
  readonly since?: Moment
  /** Exclusive. */
  readonly until?: Moment
  readonly limit: number
}

/** Log lines in, queries out. A flood of lines never touches the store's writer. */
export interface LogStore {
  /** Takes a line and returns at once. Beyond an app's bound lines are dropped, and one line says how many. */
  append(line: LogLine): void
  /** Newest first. Sees every line appended before the call. */
  query(query: LogQuery): Promise<readonly LogLine[]>
  /** The newest lines of one runner that are still in memory, oldest first: for deploy errors. */
  tail(runnerId: RunnerId, limit: number): readonly LogLine[]
  close(): Promise<void>
}
