import type { AppId } from '../domain/ids.ts'
import type { LiveRunner } from '../domain/runner.ts'
import type { Apps } from '../home/apps.ts'
import type { Homes, Load } from '../home/home.ts'
import type { Moment } from '../kit/clock.ts'
import type { Fleet } from './fleet.ts'
import type { Maintenances } from './maintenances.ts'
import type { Memory } from './memory.ts'
import type { Placing } from './placing.ts'
import type { AppWorld, Loaded } from './plan.ts'
import type { Runs } from './runs.ts'

export interface WorldParts {
  readonly apps: Apps
  readonly homes: Homes
  readonly fleet: Pick<Fleet, 'ofApp'>
  readonly memory: Memory
  readonly runs: Pick<Runs, 'isOver'>
  readonly placing: Pick<Placing, 'whyUnplaced' | 'costliestFirst'>
  readonly maintenances: Pick<Maintenances, 'all'>
}

/** Of an app that has no home. */
export const noLoad: Load = { waiting: 0, running: 0, runners: new Map() }

/** Every app that exists or has runners, as a plan needs to see it. */
export function worlds(parts: WorldParts & { readonly fleet: Pick<Fleet, 'apps'> }): ReadonlyMap<AppId, AppWorld> {
  return worldsOf(new Set([...Array.from(parts.apps.all(), ({ app }) => app.id), ...parts.fleet.apps()]), parts)
}

/** Only some. */
export function worldsOf(ids: Iterable<AppId>, parts: WorldParts): ReadonlyMap<AppId, AppWorld> {
  return new Map(Array.from(ids, (id) => [id, worldOf(id, parts)] as const))
}

/** One app's world. */
export function worldOf(id: AppId, { apps, homes, fleet, memory, runs, placing, maintenances }: WorldParts): AppWorld {
  const known = apps.byId(id)
  const runners = fleet.ofApp(id)
  const home = homes.find(id)
  const load = home?.load() ?? noLoad
  return {
    ...known,
    runners: runners.map((runner) => withLoad(runner, load)),
    demand: load,
    over: runs.isOver(id),
    ...(known ? { handover: memory.handoverOf(known.app), warming: memory.isWarming(known.app) } : {}),
    replacing: memory.replacing,
    replacedFor: memory.replacedFor,
    backoffOf: (revisionId) => memory.backoffs.get(revisionId),
    failureOf: (revisionId) => memory.failedStarts.get(revisionId),
    unplacedOf: placing.whyUnplaced,
    costliestFirst: placing.costliestFirst,
    maintained: maintenances.all,
    ...(known?.app.queue.paused === true && { held: home?.queueLength ?? 0 }),
  }
}

/** A runner that its home does not know has had no request since it was ready. */
export function withLoad(runner: LiveRunner, load: Load): Loaded {
  const known = load.runners.get(runner.id)
  const since: Moment = runner.state === 'serving' ? runner.readyAt : runner.createdAt
  return {
    runner,
    inFlight: known?.inFlight ?? 0,
    idleSince: known?.idleSince ?? since,
    used: known?.used ?? false,
    ...(known?.frozenSince !== undefined && { frozenSince: known.frozenSince }),
  }
}
