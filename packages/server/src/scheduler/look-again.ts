import { idleLimitMs, runnersFor } from '../domain/scaling.ts'
import type { Moment } from '../kit/clock.ts'
import type { AppWorld } from './plan.ts'

/** How late it may be seen that something can end, where nobody says so. */
const soonMs = 1_000

/**
 * When to look at an app again although nobody tells of anything: a runner that becomes idle tells nobody, so that no
 * request has to. Undefined where load that goes away changes nothing. None that is busy now goes before its idle limit.
 */
export function lookAgainAt({ app, runners, handover }: AppWorld, now: Moment): Moment | undefined {
  if (app === undefined) return undefined
  let able = 0
  let soonest = Infinity
  for (const { runner, inFlight, used } of runners) {
    if (runner.state === 'draining') continue
    able += 1
    if (inFlight > 0) soonest = Math.min(soonest, idleLimitMs(app.scale, used))
  }
  if (handover !== undefined || able > app.scale.max_concurrency) return now + soonMs
  const isKept = able <= runnersFor(app.scale, 0)
  return isKept || soonest === Infinity ? undefined : now + Math.max(soonest, soonMs)
}
