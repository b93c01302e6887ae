import type { App } from '../domain/app.ts'
import type { Revision } from '../domain/revision.ts'
import { carriesLoad, handoverEnd } from '../domain/rollout.ts'
import type { LiveRunner } from '../domain/runner.ts'
import type { Apps, KnownApp } from '../home/apps.ts'
import type { Homes } from '../home/home.ts'
import { assertNever } from '../kit/assert-never.ts'
import type { Clock, Moment } from '../kit/clock.ts'
import { abortRolling, switchRevision } from '../store/next-revisions.ts'
import type { Store } from '../store/store.ts'
import type { Fleet } from './fleet.ts'
import type { Memory } from './memory.ts'
import type { Handover } from './plan.ts'
import type { Placing } from './placing.ts'
import type { Rollouts } from './rollouts.ts'
import { withLoad } from './worlds.ts'

export interface RollParts {
  readonly apps: Apps
  readonly homes: Pick<Homes, 'of'>
  readonly store: Store
  readonly clock: Clock
  readonly fleet: Fleet
  readonly memory: Memory
  readonly rollouts: Rollouts
  readonly placing: Placing
}

/** Ends the rolling deploys whose first runner is healthy, or never will be. Answers when each other one gives up. */
export async function roll(parts: RollParts): Promise<readonly Moment[]> {
  const { apps, rollouts, clock } = parts
  const known = [...apps.all()].filter(({ rolling }) => rolling !== undefined)
  rollouts.follow(
    known.map(({ app }) => app),
    clock.now(),
  )
  const ends = await Promise.all(known.map((each) => step(each, parts)))
  if (ends.includes('ended')) await apps.refresh()
  return ends.filter((end) => typeof end === 'number')
}

async function step({ app, rolling }: KnownApp, parts: RollParts): Promise<Moment | 'ended' | undefined> {
  if (rolling === undefined) return undefined
  const runners = parts.fleet.ofApp(app.id)
  const next = parts.rollouts.stepOf(app, rolling, runners, parts.clock.now())
  if (next === undefined) return undefined
  switch (next.kind) {
    case 'wait':
      return next.until + 1
    case 'switch':
      return switchTo(rolling, app, runners, parts)
    case 'abort':
      return abort(rolling, app, runners, parts)
    default:
      return assertNever(next)
  }
}

async function switchTo(
  rolling: Revision,
  app: App,
  runners: readonly LiveRunner[],
  parts: RollParts,
): Promise<'ended'> {
  const { store, clock, memory, rollouts } = parts
  const won = await store.commit(switchRevision(app.id, rolling.id, undefined, clock.now()))
  if (won) memory.beginHandover(app.id, rolling.id, handoverFrom(app, rolling, runners, parts))
  rollouts.over(app.id)
  return 'ended'
}

/** What served until now serves on: the active revision, and what an earlier handover has not finished yet. */
function handoverFrom(
  app: App,
  rolling: Revision,
  runners: readonly LiveRunner[],
  { memory, homes, clock }: RollParts,
): Handover {
  const now = clock.now()
  const load = homes.of(app.id).load()
  const before = memory.handoverOf(app)
  const old = runners
    .filter(({ state, revisionId }) => state === 'serving' && revisionId !== rolling.id)
    .filter(({ id, revisionId }) => revisionId === app.revisionId || before?.runners.has(id))
  return {
    had: old.length,
    carried: old.filter((runner) => carriesLoad(withLoad(runner, load), now)).length,
    until: handoverEnd(now, rolling.spec.scale.startup_timeout * 1_000),
    multiplexing: app.scale.max_multiplexing,
    runners: new Set(old.map(({ id }) => id)),
  }
}

async function abort(rolling: Revision, app: App, runners: readonly LiveRunner[], parts: RollParts): Promise<'ended'> {
  const { store, clock, rollouts, placing } = parts
  const waiting = runners.find(({ state, revisionId }) => state === 'pending' && revisionId === rolling.id)
  const why = rollouts.whyFailed(app, rolling, runners, waiting && placing.whyUnplaced(waiting.id))
  await store.commit(abortRolling(app.id, rolling.id, clock.now(), why))
  rollouts.over(app.id)
  return 'ended'
}
