import type { Address } from '../domain/runner.ts'
import type { Caller } from './call.ts'
import { headersToRunner, pathOnly } from './headers.ts'
import type { Origin } from './headers.ts'

const limitMs = 10_000
const connectTimeoutMs = 5_000

/**
 * Tells the app that works on a request to stop: a POST to the request's path with `/cancel` behind it, on the same
 * runner. What the app does about it is its own decision, so the answer says nothing; it comes within ten seconds.
 */
export async function askToStop(
  caller: Caller,
  address: Address,
  { path, ...origin }: Origin & { readonly path: string },
): Promise<void> {
  const below = pathOnly(path)
  const call = {
    method: 'POST',
    path: `${below.endsWith('/') ? below.slice(0, -1) : below}/cancel`,
    headers: headersToRunner([], origin),
    body: null,
  }
  const signal = AbortSignal.timeout(limitMs)
  const answer = await caller.exchange(address, call, { requestTimeoutMs: limitMs, connectTimeoutMs, signal })
  if (answer.kind !== 'answered') return
  answer.body.resume()
  await answer.ended
}
