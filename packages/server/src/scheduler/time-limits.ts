import { leaving, maintenanceOf } from '../domain/maintenance.ts'
import { bound, killBy, readyWithin, type Draining, type LiveRunner } from '../domain/runner.ts'
import type { Moment } from '../kit/clock.ts'
import type { Draft } from './draft.ts'
import type { Memory } from './memory.ts'
import type { AppWorld, Loaded } from './plan.ts'

const usualTimeoutSeconds = 3_600

/** A start-up time that was changed counts for the runners that are starting, too. */
export function boundSetup({ app, runners }: AppWorld, draft: Draft): void {
  if (app === undefined) return
  for (const { runner } of runners) {
    if (runner.state !== 'setup' || runner.revisionId !== app.revisionId || draft.get(runner.id) !== runner) continue
    draft.put(readyWithin(runner, app.scale.startup_timeout * 1_000))
  }
}

/** Sets the end of runners that drain. Answers when waiting for their requests ends at the latest. */
export function boundDraining(
  { app, runners, maintained = new Map() }: AppWorld,
  { draft, memory, now }: { readonly draft: Draft; readonly memory: Pick<Memory, 'revisionOf'>; readonly now: Moment },
): readonly Moment[] {
  const draining = runners.filter((each): each is Loaded<Draining> => each.runner.state === 'draining')
  return draining.map(({ runner, inFlight }) => {
    const spec = memory.revisionOf(runner.id)?.spec
    const seconds = app?.scale.request_timeout ?? spec?.scale.request_timeout ?? usualTimeoutSeconds
    const limits = {
      inFlight,
      graceMs: (spec?.terminationGracePeriodSeconds ?? 0) * 1_000,
      requestTimeoutMs: seconds * 1_000,
    }
    const bounded = bound(runner, limits, now)
    draft.put(leaving(runner, maintained, now) === 'kill' ? killBy(bounded, now) : bounded)
    const deadline = maintenanceOf(runner, maintained)?.deadline ?? Infinity
    return Math.min(runner.since + limits.requestTimeoutMs, deadline)
  })
}

/** When something will be due for these runners. */
export function deadlinesOf(runners: readonly LiveRunner[]): readonly Moment[] {
  return runners.flatMap((runner) => {
    if (runner.state === 'pending') return [runner.startAt]
    if (runner.state === 'setup') return [runner.readyBy + 1]
    return runner.state === 'draining' && runner.killAt !== undefined ? [runner.killAt] : []
  })
}
