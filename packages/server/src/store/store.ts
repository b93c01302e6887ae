/**
 * The store's contract. A write is data: statements, and a pure function over their results, so it can wait in a
 * group, travel to the writer's thread, or go to Postgres in one round trip.
 */
export type SqlValue = string | number | bigint | null | Uint8Array

export interface Statement {
  /** SQL with `?` for each value. */
  readonly text: string
  readonly values: readonly SqlValue[]
}

export type Row = Readonly<Record<string, SqlValue>>

export interface StatementResult {
  /** Rows changed; for a statement that gives rows, how many it gave. */
  readonly changes: number
  /** Rows that `returning` gave, else empty. */
  readonly rows: readonly Row[]
}

/** What a listener can wait for: kinds of rows that a write touched. `retention`: requests or their payloads are kept no longer. */
export type Topic = 'app' | 'runner' | 'key' | 'account' | 'webhook' | 'retention'

export interface Write<T> {
  readonly statements: readonly Statement[]
  readonly result: (results: readonly StatementResult[]) => T
  readonly touches: readonly Topic[]
  /** When nobody waits for it: then it goes along with the writes of others, or alone after so long. */
  readonly patienceMs?: number
}

export interface Read<T> {
  readonly statement: Statement
  readonly result: (rows: readonly Row[]) => T
}

/** Durable state. Every method is asynchronous; nothing here is a closure over a connection. */
export interface Store {
  /**
   * Resolves when the write is on disk. All of its statements happen or none; other writes may share the commit.
   * Rejects with `disk_full` when the disk is full, and with the database's error when a statement is refused: then
   * nothing of this write happened, and the others in its group are unharmed.
   */
  commit<T>(write: Write<T>): Promise<T>
  /** Sees every write that was acknowledged before it was called. */
  read<T>(read: Read<T>): Promise<T>
  /** Calls back after a commit that touched the topic. Returns the way to stop listening. */
  onChange(topic: Topic, listener: () => void): () => void
  /** Finishes what was handed over, then closes. */
  close(): Promise<void>
}
