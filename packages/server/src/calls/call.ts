import type { Readable, Writable } from 'node:stream'
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

export interface TimeLimits {
  /** For the whole exchange. */
  readonly requestTimeoutMs: number
  readonly connectTimeoutMs: number
}

export interface CallLimits extends TimeLimits {
  /** Aborting it ends the exchange as `aborted`. */
  readonly signal: AbortSignal
}

/** Where an answer goes, asked when its headers are here; undefined when nobody wants it. */
export type BeginAnswer = (status: number, headers: HeaderPairs) => Writable | undefined

/** How an exchange went whose answer was handed on: an answer that has begun may still have failed, as `end` says. */
export type Relayed =
  | { readonly kind: 'answered'; readonly status: number; readonly headers: HeaderPairs; readonly end: BodyEnd }
  | Failure

export interface RelayLimits extends TimeLimits {
  /** Aborting it ends the exchange as `aborted`. */
  readonly signal?: AbortSignal
}

export type Relay = (address: Address, call: Call, limits: RelayLimits, begin: BeginAnswer) => Promise<Relayed>

/** Sends calls to runners over kept connections. Never throws for what a runner does: it is all in the answer. */
export interface Caller {
  exchange(address: Address, call: Call, limits: CallLimits): Promise<Exchange>
  /**
   * The same, with the answer written where `begin` says, as fast as it is taken there. What was begun and failed is
   * destroyed; a reader that goes away ends the exchange as `aborted`.
   */
  relay: Relay
  close(): Promise<void>
}
