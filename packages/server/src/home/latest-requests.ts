import type { RequestId, RunnerId } from '../domain/ids.ts'
import type { Outcome, QueuedRequest } from '../domain/request.ts'
import type { Clock, Moment } from '../kit/clock.ts'
import type { StoredResult } from '../store/bodies.ts'
import type { StoredRequest } from '../store/request-rows.ts'

/** What the store would answer about a request, but for who asked it to stop. */
export type LatestRequest = Omit<StoredRequest, 'cancelRequestedAt'>

/** A request that runs, or has ended: then with its result. */
interface Latest {
  readonly request: LatestRequest
  readonly result?: StoredResult
}

interface Ended extends Required<Latest> {
  readonly until: Moment
  readonly bytes: number
}

/** Whoever follows a request asks within moments of its end. */
const keptMs = 10_000
const mostBytes = 4 * 1024 * 1024
/** What an entry takes besides its body, about. */
const entryBytes = 2_048

/**
 * Requests whose attempt is under way here, and those that ended moments ago, with their results: who follows a request
 * is answered without a read. It holds nothing that is not on disk, and says nothing of what it does not hold. Bounded in
 * time and bytes.
 */
export class LatestRequests {
  readonly #clock: Clock
  readonly #running = new Map<RequestId, LatestRequest>()
  /** In the order in which they ended. */
  readonly #ended = new Map<RequestId, Ended>()
  #bytes = 0
  #willTidy = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  find(id: RequestId): Latest | undefined {
    const request = this.#running.get(id)
    return request === undefined ? this.#ended.get(id) : { request }
  }

  /** An attempt's start is on disk. */
  started(
    { id, seq, appId, keyId, priority, acceptedAt }: QueuedRequest,
    start: { readonly attempt: number; readonly runnerId: RunnerId; readonly startedAt: Moment },
  ): void {
    this.#running.set(id, { id, seq, appId, keyId, priority, acceptedAt, state: 'running', ...start })
  }

  /** The outcome is on disk. It is not kept of what was not known to run. */
  ended(id: RequestId, { status, headers, body, error, runnerId }: Outcome, finishedAt: Moment): void {
    const running = this.#running.get(id)
    if (running === undefined) return
    this.#running.delete(id)
    const bytes = entryBytes + ('inline' in body ? body.inline.byteLength : 0)
    const request: LatestRequest = { ...running, state: 'completed', finishedAt, status, error }
    const result = { status, headers, body, runnerId }
    this.#ended.set(id, { request, result, until: this.#clock.now() + keptMs, bytes })
    this.#bytes += bytes
    this.#makeRoom()
    if (!this.#willTidy) this.#tidyLater()
  }

  /** The attempt is not under way any longer, and the request has not ended by it: the store knows. */
  left(id: RequestId): void {
    this.#running.delete(id)
  }

  /** Requests were taken away from the store, or what they sent and got. */
  forgetEnded(): void {
    this.#ended.clear()
    this.#bytes = 0
  }

  /** So that the last ones go as well. */
  #tidyLater(): void {
    this.#willTidy = true
    const tidy = () => {
      this.#willTidy = false
      this.#makeRoom()
      if (this.#ended.size > 0) this.#tidyLater()
    }
    setTimeout(tidy, keptMs).unref()
  }

  #makeRoom(): void {
    const now = this.#clock.now()
    for (const [id, { until, bytes }] of this.#ended) {
      if (until > now && this.#bytes <= mostBytes) return
      this.#ended.delete(id)
      this.#bytes -= bytes
    }
  }
}
