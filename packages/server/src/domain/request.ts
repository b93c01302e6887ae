import type { Moment } from '../kit/clock.ts'
import type { ErrorCode } from './errors.ts'
import type { AppId, BlobKey, KeyId, RequestId, RunnerId, Seq } from './ids.ts'
import type { RetryBudgets } from './revision.ts'
import type { Webhook } from './webhook.ts'

/**
 * A queued request.
 *
 *     waiting ──▶ running ──▶ completed
 *        ▲───────────┘  (a retry waits again, under its old seq)
 *
 * Cancelled and failed requests are completed too: the outcome says how.
 */
export type RequestState = 'waiting' | 'running' | 'completed'

export type Priority = 'normal' | 'low'

/** What memory holds of a request that has no outcome yet. Bodies stay in the store. */
export interface QueuedRequest {
  readonly id: RequestId
  readonly appId: AppId
  /** Whose key it came with; absent for callers without one. */
  readonly keyId?: KeyId
  readonly seq: Seq
  readonly priority: Priority
  /** Attempts started so far. */
  readonly attempt: number
  /** A retry waits until then; 0 for the first attempt. */
  readonly dueAt: Moment
  readonly acceptedAt: Moment
  /** It must have started by then, over all attempts. */
  readonly startBy?: Moment
  readonly retry: RetryPolicy
  /** Extra attempts used so far, by condition. */
  readonly used: RetryBudgets
  /** Where its last attempt failed: a retry goes elsewhere when it can. Known to memory only. */
  readonly avoid?: RunnerId
  /** It would rather run where this is advertised. A wish, known to memory only. */
  readonly hint?: string
  /** Whether somebody is to be told of its outcome. Absent where memory does not know, after a start: the store does. */
  readonly hasWebhook?: boolean
}

/** What the caller said about retries. */
export interface RetryPolicy {
  readonly forbidden: boolean
  readonly budgets: RetryBudgets
}

/** A body on its way to or from an app: inline up to 32 KiB, else a blob. */
export type StoredBody = { readonly inline: Uint8Array } | { readonly blob: BlobKey; readonly length: number }

/** Header pairs in the order they came, names in lower case. */
export type HeaderPairs = readonly (readonly [name: string, value: string])[]

/** What is sent to the app, as stored at submit. */
export interface RequestPayload {
  readonly method: string
  /** Path below `owner/app`, with the query: `/generate?x=1`. */
  readonly path: string
  readonly headers: HeaderPairs
  readonly body: StoredBody
  /** Sent as `x-fal-caller-user-id`. */
  readonly callerId: string
}

/** A new request, as the gateway accepts it. */
export interface NewRequest extends Omit<QueuedRequest, 'seq' | 'attempt' | 'dueAt' | 'used' | 'avoid' | 'hasWebhook'> {
  readonly webhook?: Webhook
  readonly payload: RequestPayload
  /** Whether what it sends and gets is to go soon after its end. Known to the store only. */
  readonly dropIo?: boolean
}

/** The one final word about a request. `error` is there when the platform, not the app, has spoken. */
export interface Outcome {
  readonly status: number
  readonly headers: HeaderPairs
  readonly body: StoredBody
  readonly error?: { readonly code: ErrorCode; readonly message: string }
  readonly runnerId?: RunnerId
}
