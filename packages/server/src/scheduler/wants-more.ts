import type { AppId } from '../domain/ids.ts'
import type { LiveRunner } from '../domain/runner.ts'
import { desiredRunners, patientUntil } from '../domain/scaling.ts'
import type { Clock } from '../kit/clock.ts'
import type { Agenda } from './agenda.ts'
import type { Fleet } from './fleet.ts'
import { demandOn, missingRunners, wantedRunners } from './plan.ts'
import { worldOf, type WorldParts } from './worlds.ts'

interface LoadParts extends WorldParts {
  readonly fleet: Pick<Fleet, 'ofApp' | 'countsOf'>
  readonly clock: Clock
}

/** Whether an app's load calls for more runners than there are, or may do so before it is looked at next. */
export function wantsMore(appId: AppId, parts: LoadParts, agenda: Pick<Agenda, 'isSetBefore'>): boolean {
  if (!mayWantMore(appId, parts)) return false
  const now = parts.clock.now()
  const world = worldOf(appId, parts)
  if (world.app === undefined || world.active === undefined || world.over) return false
  if (world.runners.some(({ runner, inFlight }) => isDone(runner, inFlight))) return true
  const { scale, revisionId } = world.app
  const demand = demandOn(world)
  // As the plan counts: successors come on top until they have taken over.
  const replaced = world.runners.filter(({ runner }) => runner.state === 'serving' && world.replacing.has(runner.id))
  const successors = new Set(replaced.map(({ runner }) => world.replacing.get(runner.id)))
  const there = world.runners
    .filter(({ runner }) => runner.revisionId === revisionId && runner.state !== 'draining')
    .filter(({ runner }) => !successors.has(runner.id))
  const until = patientUntil(scale, demand, now)
  if (until !== undefined && !agenda.isSetBefore(appId, until)) return true
  return missingRunners(wantedRunners(world.app, world, now), there) > 0
}

/**
 * The same, told from counts alone: it is asked with every request that comes, and of an app with a thousand runners as
 * well. What runners that drain still do is taken for load that calls for others.
 */
function mayWantMore(appId: AppId, { apps, homes, fleet, clock, memory }: LoadParts): boolean {
  const app = apps.byId(appId)?.app
  const demand = homes.find(appId)?.demand()
  if (app?.revisionId === undefined || demand === undefined) return false
  if (memory.replacing.size > 0 || memory.handoverOf(app) !== undefined || memory.isWarming(app)) return true
  const counts = fleet.countsOf(appId)
  if (counts.draining > 0 || patientUntil(app.scale, demand, clock.now()) !== undefined) return true
  return desiredRunners(app.scale, demand, clock.now()).atLeast > counts.ableOf(app.revisionId)
}

/** It drains, and has nothing left to finish: its grace begins, and others may use its share of the cap. */
function isDone(runner: LiveRunner, inFlight: number): boolean {
  return runner.state === 'draining' && runner.killAt === undefined && inFlight === 0
}
