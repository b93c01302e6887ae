import type { QueuedRequest } from '../domain/request.ts'
import { Sorted } from './sorted.ts'

/** Requests of one priority that stand in line, in the order in which they are to be served. */
export interface Lane extends Iterable<QueuedRequest> {
  readonly size: number
  /** Who is served next. */
  readonly first: QueuedRequest | undefined
  /** Who came first. */
  readonly oldest: QueuedRequest | undefined
  add(request: QueuedRequest): void
  /** Takes out one that leaves without being served. False when it is not here. */
  remove(request: QueuedRequest): boolean
  /** Takes out who is served next. */
  shift(): QueuedRequest | undefined
  /** How many are served before it as things stand, whether or not it is here. */
  rankOf(request: QueuedRequest): number
  clear(): void
}

export const bySeq = (a: QueuedRequest, b: QueuedRequest): number => a.seq - b.seq

/** First in, first out, whoever sent it. */
export class FifoLane extends Sorted<QueuedRequest> implements Lane {
  constructor() {
    super(bySeq)
  }

  get oldest(): QueuedRequest | undefined {
    return this.first
  }
}
