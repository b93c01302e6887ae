import type { App } from '../domain/app.ts'
import { nextStartAt, type Backoff } from '../domain/backoff.ts'
import type { RevisionId, RunnerId } from '../domain/ids.ts'
import type { Unplaced } from '../domain/placement.ts'
import type { Revision } from '../domain/revision.ts'
import { leaving, type Maintained } from '../domain/maintenance.ts'
import { oldRunnersKept, successorsWanted } from '../domain/rollout.ts'
import type { LiveRunner, Pending, Serving, Setup, StopReason, Terminated } from '../domain/runner.ts'
import { desiredRunners, idleLimitMs, patientUntil, type Demand, type Desired } from '../domain/scaling.ts'
import type { Moment } from '../kit/clock.ts'

/** A live runner, and what its home says of it. */
export interface Loaded<R extends LiveRunner = LiveRunner> {
  readonly runner: R
  readonly inFlight: number
  /** Since when nothing is in flight. */
  readonly idleSince: Moment
  readonly used: boolean
  /** Since when it is frozen. */
  readonly frozenSince?: Moment | undefined
}

/** Runners of an earlier revision that serve on after a rolling deploy, until the new ones carry what they did. */
export interface Handover {
  /** How many there were at the switch. */
  readonly had: number
  /** How many of them carried the load. */
  readonly carried: number
  /** They go then at the latest. */
  readonly until: Moment
  /** Requests that each of them takes at a time. */
  readonly multiplexing: number
  readonly runners: ReadonlySet<RunnerId>
}

/** All that a plan for one app looks at. */
export interface AppWorld {
  /** Absent when the app was deleted. */
  readonly app?: App
  readonly active?: Revision
  readonly rolling?: Revision
  readonly runners: readonly Loaded[]
  /** It is a run, and its one call is over. */
  readonly over?: boolean
  readonly demand: Demand
  readonly handover?: Handover
  /** It has a runner of the active revision whether anybody calls it or not, until one has served. */
  readonly warming?: boolean
  /** Runners to be stopped once their successor serves, each with its successor where there is one. */
  readonly replacing: ReadonlyMap<RunnerId, RunnerId | undefined>
  /** Why each of them is. Absent: because somebody stopped it. */
  readonly replacedFor?: ReadonlyMap<RunnerId, StopReason>
  readonly backoffOf: (revisionId: RevisionId) => Backoff | undefined
  /** The start that failed last of those that a revision's backoff is for. */
  readonly failureOf?: (revisionId: RevisionId) => Terminated | undefined
  /** Why a pending runner has no place on a machine. */
  readonly unplacedOf?: (id: RunnerId) => Unplaced | undefined
  /** Orders runners by what their places cost, the costliest first. Absent: all cost the same. */
  readonly costliestFirst?: (one: LiveRunner, other: LiveRunner) => number
  /** Requests that wait because their queue is paused. */
  readonly held?: number
  /** The machines that let go of their runners. */
  readonly maintained?: Maintained
}

export type Action =
  | { readonly kind: 'start'; readonly revision: Revision; readonly startAt: Moment; readonly successorOf?: RunnerId }
  /** The wait of a pending runner is over. */
  | { readonly kind: 'begin'; readonly runner: Pending; readonly revision: Revision }
  | { readonly kind: 'cancel'; readonly runner: Pending | Setup; readonly reason: StopReason }
  | { readonly kind: 'drain'; readonly runner: Serving; readonly reason: StopReason }

export interface Plan {
  readonly actions: readonly Action[]
  /** Moments at which there may be more to do although nothing else happens. */
  readonly moments: readonly Moment[]
  /** What the active revision's number of runners was made from; absent without one. */
  readonly scaling?: Scaling
}

export interface Scaling {
  readonly demand: Demand
  readonly desired: Desired
  /** Runners of the active revision that are there or on their way. */
  readonly counted: number
}

/** The steps from the runners an app has to those it should have. Pure: same world, same plan. */
export function planApp(world: AppWorld, now: Moment): Plan {
  const { app, active, rolling } = world
  if (app === undefined || world.over) return endAll(world.runners, 'app_deleted')
  const { gone, staying } = parted(world, now)
  const own = active && planActive(app, active, staying, now)
  const plans = [
    endAll(gone, 'host_maintenance'),
    own,
    rolling && rolling.id !== active?.id && planRolling(rolling, staying),
    planOld(app, staying, now),
  ].filter((plan) => typeof plan === 'object')
  return {
    actions: plans.flatMap(({ actions }) => actions),
    moments: plans.flatMap(({ moments }) => moments),
    ...(own?.scaling && { scaling: own.scaling }),
  }
}

/** The runners whose machine lets them go, and the world without them: what is wanted in their place is planned at once. */
function parted(world: AppWorld, now: Moment): { readonly gone: readonly Loaded[]; readonly staying: AppWorld } {
  const { maintained, runners } = world
  if (maintained === undefined || maintained.size === 0) return { gone: [], staying: world }
  const goes = ({ runner }: Loaded) => runner.state !== 'draining' && leaving(runner, maintained, now) !== 'stay'
  return { gone: runners.filter(goes), staying: { ...world, runners: runners.filter((each) => !goes(each)) } }
}

/**
 * What the app is asked to do. A runner that drains or is gone keeps its own requests, so they call for no other; in a
 * handover they do, for others like them will follow.
 */
export function demandOn({ demand, runners, handover }: Pick<AppWorld, 'demand' | 'runners' | 'handover'>): Demand {
  const counted = runners.filter(({ runner }) => runner.state !== 'draining' || handover?.runners.has(runner.id))
  return { ...demand, running: counted.reduce((running, { inFlight }) => running + inFlight, 0) }
}

/** Starts what is missing; what is too much and idle for long enough goes. */
function planActive(app: App, revision: Revision, world: AppWorld, now: Moment): Plan {
  const demand = demandOn(world)
  const desired = wantedRunners(app, world, now)
  const mine = ofRevision(world.runners, revision.id)
  // Successors come on top until they have taken over.
  const replaced = mine.filter(isServing).filter(({ runner }) => world.replacing.has(runner.id))
  const successors = new Set(replaced.map(({ runner }) => world.replacing.get(runner.id)))
  const counted = mine.filter(({ runner }) => !successors.has(runner.id) && runner.state !== 'draining')
  const backoff = world.backoffOf(revision.id)
  const startAt = nextStartAt(backoff, now)

  const missing = missingRunners(desired, counted)
  const starts = Array.from({ length: missing }, () => ({ kind: 'start' as const, revision, startAt }))
  const waiting = mine.map(({ runner }) => runner).filter((runner) => runner.state === 'pending')
  const surplus = counted.length - desired.atMost
  // The last ones first: the others have waited longer for a machine.
  const unwanted = waiting
    .filter(({ id }) => !successors.has(id))
    .toReversed()
    .slice(0, Math.max(0, surplus))
  const kept = waiting.filter((runner) => !unwanted.includes(runner))
  // One start that succeeded ends the wait of all.
  const due = kept.filter((runner) => backoff === undefined || runner.startAt <= now)
  const staying = counted.filter(({ runner }) => runner.state !== 'pending' || !unwanted.includes(runner))
  const idle = planIdle(app, world, staying, surplus - unwanted.length, now)

  return {
    actions: [
      ...starts,
      ...due.map((runner) => ({ kind: 'begin' as const, runner, revision })),
      ...unwanted.map((runner) => ({ kind: 'cancel' as const, runner, reason: 'scale_down' as const })),
      ...idle.actions,
      ...planReplaced(revision, world, mine, startAt),
    ],
    moments: [
      ...kept.filter((runner) => !due.includes(runner)).map((runner) => runner.startAt),
      ...(missing > 0 ? [startAt] : []),
      ...(missing > 0 && counted.length + missing < desired.atLeast ? [now + nextStartsMs] : []),
      ...present(patientUntil(app.scale, demand, now)),
      ...idle.moments,
    ],
    scaling: { demand, desired, counted: counted.length },
  }
}

/** So many runners of an app wait for their start at a time, whatever its numbers ask for: a typing error fills no memory. */
export const mostPending = 250
/** When the next of them are started, unless a runner's news makes it sooner. */
const nextStartsMs = 1_000

/** How many runners are to be started now. `counted` are those that are there or on their way. */
export function missingRunners({ atLeast }: Desired, counted: readonly Loaded[]): number {
  const pending = counted.filter(({ runner }) => runner.state === 'pending').length
  return Math.max(0, Math.min(atLeast - counted.length, mostPending - pending))
}

/**
 * Of `surplus` runners those go that have been idle for long enough: longest idle first, of those that have been idle
 * for equally long the costliest first. What is above the cap goes as soon as it is idle, and does not even finish its
 * start. A busy runner is never surplus.
 */
function planIdle(app: App, world: AppWorld, counted: readonly Loaded[], surplus: number, now: Moment): Plan {
  const aboveCap = counted.length - app.scale.max_concurrency
  const starting = counted.map(({ runner }) => runner).filter((runner) => runner.state === 'setup')
  const cancelled = starting.slice(0, Math.max(0, aboveCap))
  const idle = counted
    .filter(isServing)
    .filter(({ runner, inFlight }) => inFlight === 0 && !world.replacing.has(runner.id))
    .toSorted(
      (one, other) => one.idleSince - other.idleSince || (world.costliestFirst?.(one.runner, other.runner) ?? 0),
    )
    .slice(0, Math.max(0, surplus - cancelled.length))
    .map((each, index) => {
      const isAboveCap = index < aboveCap - cancelled.length
      return { ...each, isAboveCap, goesAt: isAboveCap ? now : each.idleSince + idleLimitMs(app.scale, each.used) }
    })
  const going = idle.filter(({ goesAt }) => goesAt <= now)
  return {
    actions: [
      ...cancelled.map((runner) => ({ kind: 'cancel' as const, runner, reason: 'scale_down' as const })),
      ...going.map(({ runner, isAboveCap }) => drained(runner, isAboveCap ? 'scale_down' : 'keep_alive')),
    ],
    moments: idle.filter(({ goesAt }) => goesAt > now).map(({ goesAt }) => goesAt),
  }
}

/** A runner that somebody wants replaced first goes when its successor serves. A successor that failed has another. */
function planReplaced(
  revision: Revision,
  { replacing, replacedFor }: AppWorld,
  mine: readonly Loaded[],
  startAt: Moment,
): Action[] {
  if (replacing.size === 0) return []
  return mine.filter(isServing).flatMap(({ runner }): Action[] => {
    if (!replacing.has(runner.id)) return []
    const successor = mine.find((each) => each.runner.id === replacing.get(runner.id))?.runner
    if (successor === undefined) return [{ kind: 'start', revision, startAt, successorOf: runner.id }]
    return successor.state === 'serving' ? [drained(runner, replacedFor?.get(runner.id) ?? 'stopped')] : []
  })
}

/** A rolling deploy has one runner at once, traffic or not: somebody asked for it just now, so no failure delays it. */
function planRolling(revision: Revision, { runners }: AppWorld): Plan {
  const mine = ofRevision(runners, revision.id).filter(({ runner }) => runner.state !== 'draining')
  const waiting = mine.map(({ runner }) => runner).filter((runner) => runner.state === 'pending')
  const actions: Action[] = waiting.map((runner) => ({ kind: 'begin', runner, revision }))
  return { actions: mine.length === 0 ? [{ kind: 'start', revision, startAt: 0 }] : actions, moments: [] }
}

/** Other revisions go, except as many of a handover as the active one still needs beside it. */
function planOld(app: App, world: AppWorld, now: Moment): Plan {
  const { active, rolling, runners, handover } = world
  const old = runners.filter(({ runner }) => runner.revisionId !== active?.id && runner.revisionId !== rolling?.id)
  if (old.length === 0) return { actions: [], moments: [] }
  const serving = handingOver(world, now)
  const kept = new Set(
    serving
      .toSorted((one, other) => other.inFlight - one.inFlight)
      .slice(0, serving.length === 0 ? 0 : stillNeeded(app, world, now))
      .map(({ runner }) => runner.id),
  )
  const { actions } = endAll(
    old.filter(({ runner }) => !kept.has(runner.id)),
    'deploy',
  )
  return { actions, moments: handover !== undefined && kept.size > 0 ? [handover.until] : [] }
}

/** Old runners that serve on, while they may. */
function handingOver({ runners, handover }: AppWorld, now: Moment): readonly Loaded<Serving>[] {
  if (handover === undefined || now >= handover.until) return []
  return runners.filter(isServing).filter(({ runner }) => handover.runners.has(runner.id))
}

function stillNeeded(app: App, world: AppWorld, now: Moment): number {
  const ready = world.active ? ofRevision(world.runners, world.active.id).filter(isServing).length : 0
  return oldRunnersKept({ had: world.handover?.had ?? 0, ready, wanted: wantedRunners(app, world, now).atMost })
}

/** By the formula; while old runners hand over, as many as take over from them; and one while the app is to be warm. */
export function wantedRunners(app: App, world: AppWorld, now: Moment): Desired {
  const desired = desiredRunners(app.scale, demandOn(world), now)
  const cap = app.scale.max_concurrency
  const isHandingOver = handingOver(world, now).length > 0
  const least = (count: number) => {
    if (isHandingOver) return successorsWanted({ carried: world.handover?.carried ?? 0, desired: count, cap })
    return Math.max(count, world.warming === true ? 1 : 0)
  }
  return { atLeast: least(desired.atLeast), atMost: least(desired.atMost) }
}

function endAll(runners: readonly Loaded[], reason: StopReason): Plan {
  const actions = runners.flatMap(({ runner }): Action[] => {
    if (runner.state === 'draining') return []
    return [runner.state === 'serving' ? drained(runner, reason) : { kind: 'cancel', runner, reason }]
  })
  return { actions, moments: [] }
}

const drained = (runner: Serving, reason: StopReason) => ({ kind: 'drain' as const, runner, reason })

const ofRevision = (runners: readonly Loaded[], id: RevisionId) =>
  runners.filter(({ runner }) => runner.revisionId === id)

const isServing = (each: Loaded): each is Loaded<Serving> => each.runner.state === 'serving'

const present = <T>(value: T | undefined): T[] => (value === undefined ? [] : [value])
