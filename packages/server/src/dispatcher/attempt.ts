import { Readable } from 'node:stream'
import type { BlobStore } from '../blobs/blob-store.ts'
import type { Call, CallLimits, Caller } from '../calls/call.ts'
import { askToStop } from '../calls/cancel.ts'
import { answered, endpointOf, headersToCaller, headersToRunner } from '../calls/headers.ts'
import type { Origin } from '../calls/headers.ts'
import { callerTo } from '../calls/thawing.ts'
import { CarrickError } from '../domain/errors.ts'
import type { RequestId } from '../domain/ids.ts'
import { cancelledOutcome, failedOutcome, troubles } from '../domain/outcome.ts'
import type { HeaderPairs, Outcome, RequestPayload, StoredBody } from '../domain/request.ts'
import type { AttemptEnd } from '../domain/retry.ts'
import type { Slot } from '../home/home.ts'
import type { Moment } from '../kit/clock.ts'
import { Collector } from '../blobs/collector.ts'
import { crashPoint } from '../kit/crash-points.ts'

/** How an attempt ended, and what is final if nothing follows it. `aborted`: the platform is going down. */
export interface Ended {
  readonly end: AttemptEnd
  readonly outcome: Outcome
}

export interface AttemptParts {
  /** Counted from 1. */
  readonly number: number
  readonly caller: Caller
  readonly blobs: BlobStore
  readonly resultBytes: number
  readonly limits: CallLimits
  /** As soon as the runner has nothing more to do with it. */
  readonly onRunnerDone: (end: AttemptEnd) => void
}

/** One attempt of one request on one runner. Its start is on disk before `run` is called. */
export class Attempt {
  readonly requestId: RequestId
  /** When the runner had nothing more to do with it. */
  endedAt: Moment | undefined
  readonly #slot: Slot
  readonly #app: { owner: string; name: string }
  #path: string | undefined
  #callerId = ''
  #cancelled = false
  /** Present where the app is a server of its own. */
  readonly #hangUp: AbortController | undefined

  constructor(requestId: RequestId, slot: Slot, app: { owner: string; name: string; isOwnServer?: boolean }) {
    this.requestId = requestId
    this.#slot = slot
    this.#app = app
    if (app.isOwnServer === true) this.#hangUp = new AbortController()
  }

  /** Keeps it from being sent; once it was, asks the app to stop, or hangs up where nothing of ours could be asked. */
  cancel(caller: Caller): void {
    this.#cancelled = true
    if (this.#hangUp !== undefined) return this.#hangUp.abort()
    if (this.#path === undefined) return
    void askToStop(caller, this.#slot.address, { ...this.#origin(this.#path), path: this.#path })
  }

  async run(
    payload: RequestPayload,
    { number, caller, blobs, resultBytes, limits, onRunnerDone }: AttemptParts,
  ): Promise<Ended> {
    const call = await this.#call(payload, number, blobs)
    if (this.#cancelled) return this.#unsent(call, onRunnerDone)
    this.#path = payload.path
    this.#callerId = payload.callerId
    const collector = new Collector(blobs, resultBytes)
    crashPoint('before_send')
    const answer = await callerTo(this.#slot, caller).relay(this.#slot.address, call, this.#within(limits), () => {
      crashPoint('mid_stream')
      return collector
    })
    if (answer.kind !== 'answered') {
      if (this.#hasHungUp(answer.kind)) return this.#cancelledNow(onRunnerDone)
      onRunnerDone(answer)
      return this.#broken(answer)
    }
    const end = answer.end.kind === 'complete' ? answered(answer.status, answer.headers) : answer.end
    if (this.#hasHungUp(end.kind)) return this.#cancelledNow(onRunnerDone)
    onRunnerDone(end)
    const stored = await settled(collector.stored)
    crashPoint('after_answer')
    if ('error' in stored && stored.error instanceof CarrickError) return this.#notStored(stored.error)
    // An answer that cannot be stored is let go of. Nobody else ends one but the platform's own end.
    const letGo = end.kind === 'aborted' && !limits.signal.aborted
    if (end.kind !== 'answered' && !letGo) return this.#broken(end)
    if ('error' in stored) throw stored.error
    return { end, outcome: this.#answer(answer.status, answer.headers, stored.value) }
  }

  async #call(
    { method, path, headers, callerId, body }: RequestPayload,
    attempt: number,
    blobs: BlobStore,
  ): Promise<Call> {
    const plain = headersToRunner(headers, { ...this.#origin(path), callerId, attempt }).filter(
      ([name]) => name !== 'content-length',
    )
    if ('inline' in body)
      return { method, path, headers: plain, body: body.inline.byteLength === 0 ? null : body.inline }
    const sized = [...plain, ['content-length', String(body.length)] as const]
    return { method, path, headers: sized, body: await blobs.open(body.blob) }
  }

  #within(limits: CallLimits): CallLimits {
    return this.#hangUp ? { ...limits, signal: AbortSignal.any([limits.signal, this.#hangUp.signal]) } : limits
  }

  #hasHungUp(kind: AttemptEnd['kind']): boolean {
    return kind === 'aborted' && this.#hangUp?.signal.aborted === true
  }

  #origin(path: string): Origin {
    return { requestId: this.requestId, endpoint: endpointOf(this.#app, path), callerId: this.#callerId }
  }

  /** Whoever serves the result writes the length of what was stored. */
  #answer(status: number, headers: HeaderPairs, body: StoredBody): Outcome {
    const { requestId } = this
    const { runnerId } = this.#slot
    const kept = headersToCaller(headers, { status, requestId, runnerId }).filter(([name]) => name !== 'content-length')
    return { status, headers: kept, body, runnerId }
  }

  #broken(end: Exclude<AttemptEnd, { kind: 'answered' }>): Ended {
    const { code, message } = end.kind === 'aborted' ? troubles.disconnected : troubles[end.kind]
    return { end, outcome: failedOutcome({ code, message, requestId: this.requestId, runnerId: this.#slot.runnerId }) }
  }

  /** The app has done its work, so it is not asked to do it again. */
  #notStored({ code, message }: CarrickError): Ended {
    const outcome = failedOutcome({ code, message, requestId: this.requestId, runnerId: this.#slot.runnerId })
    return { end: { kind: 'answered', status: outcome.status, needsRetry: false, stopRunner: false }, outcome }
  }

  #unsent({ body }: Call, onRunnerDone: (end: AttemptEnd) => void): Ended {
    if (body instanceof Readable) body.destroy()
    return this.#cancelledNow(onRunnerDone)
  }

  #cancelledNow(onRunnerDone: (end: AttemptEnd) => void): Ended {
    const outcome = cancelledOutcome(this.requestId)
    const end: AttemptEnd = { kind: 'answered', status: outcome.status }
    onRunnerDone(end)
    return { end, outcome }
  }
}

/** A promise that never rejects, for work that is looked at later. */
async function settled<T>(work: Promise<T>): Promise<{ value: T } | { error: unknown }> {
  try {
    return { value: await work }
  } catch (error) {
    return { error }
  }
}
