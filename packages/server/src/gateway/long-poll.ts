import { setTimeout as pause } from 'node:timers/promises'
import type { Exchange, GatewayDeps } from './deps.ts'
import { questioner } from './lookup.ts'
import type { RequestRoute } from './route.ts'
import { departureOf } from './slot.ts'
import { lookAt } from './status.ts'

const lookEveryMs = 100
/** Proxies in between cut what is silent for longer. */
const longestSeconds = 60

/**
 * Holds a question about a request back until that is over, for as many seconds as `Prefer: wait=SECONDS` says
 * (RFC 7240 §4.3), a minute at most. Whoever says nothing, or may not ask, does not wait.
 */
export async function waitUntilOver(deps: GatewayDeps, exchange: Exchange, route: RequestRoute): Promise<void> {
  const { req, res } = exchange
  const seconds = preferredWait(String(req.headers['prefer']))
  if (seconds === 0) return
  const caller = questioner(deps, exchange, route)
  const gone = departureOf(res)
  const until = performance.now() + seconds * 1_000
  res.setHeader('preference-applied', `wait=${seconds}`)
  while (!gone.aborted && deps.accepting() && performance.now() < until) {
    const look = await lookAt(deps, exchange, route, caller)
    if (look === undefined || look.status.status === 'COMPLETED') return
    await pause(lookEveryMs, undefined, { signal: gone }).catch(() => {})
  }
}

/** The seconds that the header asks for; 0 where it asks for no wait. */
export function preferredWait(prefer: string): number {
  const [, seconds = '0'] = /(?:^|,)\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:[;,]|$)/i.exec(prefer) ?? []
  return Math.min(Number(seconds), longestSeconds)
}
