import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Rejection } from '../kit/rejections.ts'

/** The latest request of a connection. */
export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Requests of this connection that have no whole answer yet. */
  underWay: number
}

interface PaceLimits {
  readonly paceMs: number
  readonly bodyBytesPerSecond: number
  readonly mayBeSlow: (request: IncomingMessage) => boolean
  readonly onRejected: (reason: Rejection) => void
}

/**
 * Looks now and then at the bodies that are on their way, and cuts the connections of those that come too slowly. It
 * costs a request nothing: one that is there by the first look is never seen.
 */
export function watchPace(exchanges: ReadonlyMap<Duplex, Exchange>, limits: PaceLimits): void {
  const { paceMs, bodyBytesPerSecond, mayBeSlow, onRejected } = limits
  const atLeast = (bodyBytesPerSecond * paceMs) / 1_000
  const seen = new WeakMap<IncomingMessage, Look>()
  const look = () => {
    for (const { request } of exchanges.values()) {
      if (!owes(request)) continue
      const { bytes, slow } = seen.get(request) ?? { bytes: -Infinity, slow: 0 }
      const read = request.socket.bytesRead
      const isSlow = read - bytes < atLeast
      seen.set(request, { bytes: read, slow: isSlow ? slow + 1 : 0 })
      if (!isSlow || slow === 0 || mayBeSlow(request)) continue
      onRejected('slow_body')
      request.socket.destroy()
    }
  }
  setInterval(look, paceMs).unref()
}

interface Look {
  /** Of the whole connection. */
  readonly bytes: number
  /** Looks in a row that found it too slow. */
  readonly slow: number
}

/** Whether the next bytes are the client's to send: where we do not take them, it is not slow. */
function owes(request: IncomingMessage): boolean {
  const { socket, complete, readableLength, readableHighWaterMark } = request
  return !complete && !socket.destroyed && readableLength < readableHighWaterMark
}
