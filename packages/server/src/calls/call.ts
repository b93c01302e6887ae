import type { Readable } from 'node:stream'
import type { HeaderPairs } from '../domain/request.ts'
import type { Address } from '../domain/runner.ts'

/** What goes to a runner. `headers` are final: what the platform adds and drops was decided before. */
export interface Call {
  readonly method: string
  /** Path and query, beginning with `/`. */
  readonly path: string
  readonly headers: HeaderPairs
  readonly body: Readable | Uint8Array | null
}

/** How one exchange with a runner went, told as soon as it is known. */
export type Exchange =
  /** Its status and headers are here; the body follows and may still break: then `ended` says so. */
  | {
      readonly kind: 'answered'
      readonly status: number
      readonly headers: HeaderPairs
      readonly body: Readable
      readonly ended: Promise<BodyEnd>
    }
  | Failure

export type BodyEnd = { readonly kind: 'complete' } | Failure

/** It ended without a whole answer. */
export type Failure =
  | {
      readonly kind: 'refused' | 'connect_timeout' | 'connection_error' | 'disconnected' | 'incomplete' | 'oversized'
      readonly message: string
    }
  | { readonly kind: 'timed_out'; readonly afterMs: number }
  | { readonly kind: 'aborted' }

export interface CallLimits {
  /** For the whole exchange. */
  readonly requestTimeoutMs: number
  readonly connectTimeoutMs: number
  /** Aborting it ends the exchange as `aborted`. */
  readonly signal: AbortSignal
}

/** Sends calls to runners over kept connections. Never throws for what a runner does: it is all in the answer. */
export interface Caller {
  exchange(address: Address, call: Call, limits: CallLimits): Promise<Exchange>
  close(): Promise<void>
}
