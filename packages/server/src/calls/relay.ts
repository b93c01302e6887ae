import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Caller, Relay } from './call.ts'

const never = new AbortController().signal

/** Hands answers on by way of streams, for callers whose answers are none of a socket's. */
export function relayOf(exchange: Caller['exchange']): Relay {
  return async (address, call, limits, begin) => {
    const answer = await exchange(address, call, { signal: never, ...limits })
    if (answer.kind !== 'answered') return answer
    const { status, headers, body, ended } = answer
    const out: Writable | undefined = begin(status, headers)
    if (out === undefined) body.destroy()
    else await pipeline(body, out).catch(() => {}) // how it ended for the runner is what counts
    return { kind: 'answered', status, headers, end: await ended }
  }
}
