import type { AppId } from '../domain/ids.ts'
import type { LiveRunner } from '../domain/runner.ts'
import type { Apps } from '../home/apps.ts'
import type { Home, Homes, Load } from '../home/home.ts'
import type { Moment } from '../kit/clock.ts'
import type { Fleet } from './fleet.ts'
import type { Memory } from './memory.ts'
import type { AppWorld, Loaded } from './plan.ts'
import type { Runs } from './runs.ts'

export interface WorldParts {
  readonly apps: Apps
  readonly homes: Homes
  readonly fleet: Pick<Fleet, 'all'>
  readonly memory: Memory
  readonly runs: Pick<Runs, 'isOver'>
}

const noLoad: Load = { waiting: 0, running: 0, runners: new Map() }

/** Every app that exists or has runners, as a plan needs to see it. */
export function worlds(parts: WorldParts): ReadonlyMap<AppId, AppWorld> {
  const homes = new Map(Array.from(parts.homes.all(), (home) => [home.appId, home] as const))
  const runners = Map.groupBy(parts.fleet.all(), ({ appId }) => appId)
  const ids = new Set([...Array.from(parts.apps.all(), ({ app }) => app.id), ...runners.keys()])
  return new Map(Array.from(ids, (id) => [id, worldOf(id, runners.get(id) ?? [], homes.get(id), parts)] as const))
}

/** One app's world. */
export function worldOf(
  id: AppId,
  runners: readonly LiveRunner[],
  home: Home | undefined,
  { apps, memory, runs }: WorldParts,
): AppWorld {
  const known = apps.byId(id)
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
  }
}
