/** What a caller said about retries, and so how often its request may run. */
export type Retries = 'none' | 'one' | 'all'

/**
 * What a client process did and saw. `at` is milliseconds of the machine's monotonic clock, which all processes share.
 * `number` counts a process's submits.
 */
export type ClientEvent = { readonly at: number; readonly client: number } & (
  | { readonly kind: 'sent'; readonly number: number; readonly retries: Retries }
  | { readonly kind: 'acknowledged'; readonly number: number; readonly request: string }
  | { readonly kind: 'refused'; readonly number: number; readonly status: number }
  | { readonly kind: 'status'; readonly request: string; readonly status: string }
  | { readonly kind: 'result'; readonly request: string; readonly answer: Answer }
  | { readonly kind: 'cancelled'; readonly request: string }
)

/** A result as a client gets it. */
export interface Answer {
  readonly status: number
  readonly text: string
}

/** What the app wrote down: that an attempt began, and that its work was done. */
export interface LedgerLine {
  readonly what: 'began' | 'ended'
  readonly request: string
  readonly attempt: number
  readonly runner: string
  readonly at: number
}

/** A webhook that came to its receiver. */
export interface Delivery {
  readonly request: string
  /** The whole body. */
  readonly text: string
}

/** The store's last word on a request. */
export interface StoredRow {
  readonly id: string
  readonly seq: number
  readonly caller: string
  readonly priority: string
  readonly retries: Retries
  readonly state: string
  readonly status: number | null
  readonly attempt: number
  readonly hasWebhook: boolean
  readonly attempts: readonly { readonly number: number; readonly runner: string; readonly startedAt: number }[]
}

/** All that is known of some rounds, after everything has come to rest. */
export interface Evidence {
  readonly clients: readonly ClientEvent[]
  readonly ledger: readonly LedgerLine[]
  readonly rows: readonly StoredRow[]
  readonly deliveries: readonly Delivery[]
  /** What the server answers at last when it is asked for each result. */
  readonly answers: ReadonlyMap<string, Answer>
  /** `max_concurrency` × `max_multiplexing`. */
  readonly mostRunning: number
  /** The disk had no room at times: a result that needs a file of its own may then be lost, and its request is told so. */
  readonly onFullDisk?: boolean
  readonly runners: RunnerEvidence
}

export interface RunnerEvidence {
  /** Runners of a former server that were alive when the next one said that it was ready. */
  readonly survivors: readonly string[]
  /** At rest: processes without a live record, and live records without a process. */
  readonly unrecorded: readonly string[]
  readonly missing: readonly string[]
}

/** How often a request may run: once, and the extra attempts that its caller, or the platform's ten in all, allow. */
export const executionsAllowed: Readonly<Record<Retries, number>> = { none: 1, one: 2, all: 10 }
