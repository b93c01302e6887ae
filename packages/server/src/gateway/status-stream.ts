import type { ServerResponse } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import type { Caller } from '../domain/permissions.ts'
import { begin, json } from './answers.ts'
import type { Exchange, GatewayDeps } from './deps.ts'
import { followLines } from './log-entries.ts'
import { questioner } from './lookup.ts'
import { wantsLogs } from './query.ts'
import type { RequestRoute } from './route.ts'
import { departureOf } from './slot.ts'
import { lookAt, type Look } from './status.ts'

const lookEveryMs = 100
/** Some clients give up after ten silent seconds. */
const beatEveryMs = 4_000
/** A stream that is still open then ends, so that none is open for ever. */
const longestMs = 24 * 3_600_000

/** Tells every change of a request as an event, with the log lines that are new, until it is completed. */
export async function streamStatus(deps: GatewayDeps, exchange: Exchange, route: RequestRoute): Promise<void> {
  const { res } = exchange
  const caller = questioner(deps, exchange, route)
  const first = await lookAt(deps, exchange, route, caller)
  if (first === undefined) return json(res, 404, { status: 'NOT_FOUND' })
  const gone = departureOf(res)
  begin(res, 200, [
    ['content-type', 'text/event-stream; charset=utf-8'],
    ['cache-control', 'no-cache, no-transform'],
    ['x-accel-buffering', 'no'],
  ])
  res.flushHeaders()
  await tellChanges(deps, exchange, route, { first, caller, gone })
  res.end()
}

async function tellChanges(
  deps: GatewayDeps,
  exchange: Exchange,
  route: RequestRoute,
  { first, caller, gone }: { first: Look; caller: Caller | undefined; gone: AbortSignal },
): Promise<void> {
  const { res } = exchange
  const newLines = wantsLogs(route.query) ? followLines(deps.logs) : undefined
  const until = performance.now() + longestMs
  let told = ''
  let toldAt = performance.now()

  for (let look: Look | undefined = first; look; look = await lookAt(deps, exchange, route, caller)) {
    const logs = newLines && look.seen ? await newLines(look.seen) : null
    const state = JSON.stringify(look.status)
    if (state !== told || (logs?.length ?? 0) > 0) {
      await send(res, `data: ${JSON.stringify({ ...look.status, logs })}\n\n`, gone)
      told = state
      toldAt = performance.now()
    } else if (performance.now() - toldAt >= beatEveryMs) {
      await send(res, ': still here\n\n', gone)
      toldAt = performance.now()
    }
    if (look.status.status === 'COMPLETED' || gone.aborted || performance.now() > until) return
    // It will not start before the next start, and who goes on asking then must not keep this end waiting.
    if (look.status.status === 'IN_QUEUE' && !deps.accepting()) return
    await pause(lookEveryMs, undefined, { signal: gone }).catch(() => {})
    if (gone.aborted) return
  }
}

/** Waits for a reader that is slower than we are. */
async function send(res: ServerResponse, text: string, gone: AbortSignal): Promise<void> {
  if (res.write(text) || gone.aborted) return
  await new Promise<void>((resolve) => {
    res.once('drain', resolve)
    gone.addEventListener('abort', () => resolve(), { once: true })
  })
}
