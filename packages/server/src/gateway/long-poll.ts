import type { Exchange } from './deps.ts'
import { questioner } from './lookup.ts'
import type { RequestRoute } from './route.ts'
import { Departure } from './departure.ts'
import type { StreamDeps } from './status-stream.ts'
import { lookAt } from './status.ts'

/** Proxies in between cut what is silent for longer. */
const longestSeconds = 60

/**
 * Holds a question about a request back until that is over, for as many seconds as `Prefer: wait=SECONDS` says
 * (RFC 7240 §4.3), a minute at most. Whoever says nothing, or may not ask, does not wait.
 */
export async function waitUntilOver(deps: StreamDeps, exchange: Exchange, route: RequestRoute): Promise<void> {
  const { req, res } = exchange
  const seconds = preferredWait(String(req.headers['prefer']))
  if (seconds === 0) return
  const caller = questioner(deps, exchange, route)
  const gone = new Departure(res).signal
  const late = AbortSignal.timeout(seconds * 1_000)
  const { requestId } = route
  using watcher = deps.statusWatch.open({ requestId, wantsLogs: false, moved: () => false, beat: () => {} })
  for (const end of [gone, late]) end.addEventListener('abort', () => watcher.wake(), { once: true })
  res.setHeader('preference-applied', `wait=${seconds}`)
  while (!gone.aborted && !late.aborted && deps.accepting()) {
    const look = await lookAt(deps, exchange, route, caller)
    if (look === undefined || look.status.status === 'COMPLETED') return
    await watcher.next()
  }
}

/** The seconds that the header asks for; 0 where it asks for no wait. */
export function preferredWait(prefer: string): number {
  const [, seconds = '0'] = /(?:^|,)\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:[;,]|$)/i.exec(prefer) ?? []
  return Math.min(Number(seconds), longestSeconds)
}
