import { nextStartAt } from '../domain/backoff.ts'
import type { Block, Decision, FailedStart, RunnersThere, ScalingFacts, Step } from '../domain/decision.ts'
import type { RunnerId } from '../domain/ids.ts'
import type { Revision } from '../domain/revision.ts'
import type { Terminated } from '../domain/runner.ts'
import { calculated, idleLimitMs, patientUntil } from '../domain/scaling.ts'
import type { Moment } from '../kit/clock.ts'
import type { Action, AppWorld, Plan, Scaling } from './plan.ts'

/**
 * Why a plan is as it is, from the same world. `born` are the runners that its starts became, one for each action and
 * absent where that is none. Pure.
 */
export function decisionOf(
  world: AppWorld,
  plan: Plan,
  born: readonly (RunnerId | undefined)[],
  now: Moment,
): Decision {
  const { scaling } = plan
  const { active, rolling } = world
  return {
    at: now,
    ...(scaling && world.app && { scaling: factsOf(world, world.app.scale, scaling, now) }),
    there: thereIn(world),
    ...(active && rolling && rolling.id !== active.id && { rolling: rolling.id }),
    steps: stepsOf(world, plan.actions, born, now),
    blocks: blocksOf(world, plan, born, now),
  }
}

/** Whether there is anything to keep of a plan: something is done, or something stands in the way. Costs next to nothing. */
export function isWorthKeeping(world: AppWorld, plan: Plan, now: Moment): boolean {
  return plan.actions.some((action) => isDone(world, action)) || blocksOf(world, plan, [], now).length > 0
}

/** A runner whose wait is over does not begin while there is no place for it. */
function isDone({ unplacedOf }: AppWorld, action: Action): boolean {
  return action.kind !== 'begin' || unplacedOf?.(action.runner.id) === undefined
}

function factsOf(
  world: AppWorld,
  scale: ScalingFacts['scale'],
  { demand, desired, counted }: Scaling,
  now: Moment,
): ScalingFacts {
  const { running, waiting, waitingSince } = demand
  const atMost = calculated(scale, running + waiting)
  const atLeast = patientUntil(scale, demand, now) === undefined ? atMost : calculated(scale, running)
  const isLifted = desired.atLeast > atLeast.desired || desired.atMost > atMost.desired
  return {
    scale,
    running,
    waiting,
    ...(waitingSince === undefined ? {} : { waitingSince }),
    atMost,
    atLeast,
    desired,
    ...(isLifted && { lifted: world.handover === undefined ? ('warming' as const) : ('handover' as const) }),
    counted,
  }
}

function thereIn({ runners }: AppWorld): RunnersThere {
  const there = { pending: 0, starting: 0, idle: 0, busy: 0, ending: 0, finishing: 0 }
  let startingSince: Moment | undefined
  let frozen = 0
  for (const { runner, inFlight, frozenSince } of runners) {
    if (runner.state === 'serving' && inFlight === 0 && frozenSince !== undefined) frozen += 1
    if (runner.state === 'pending') there.pending += 1
    else if (runner.state === 'draining') {
      there.ending += 1
      if (inFlight > 0) there.finishing += 1
    } else if (runner.state === 'serving') there[inFlight > 0 ? 'busy' : 'idle'] += 1
    else {
      there.starting += 1
      startingSince = Math.min(startingSince ?? runner.startedAt, runner.startedAt)
    }
  }
  return {
    ...there,
    ...(frozen > 0 && { frozen }),
    ...(startingSince !== undefined && { startingSince }),
  }
}

/** Starts for the same reason and the same moment are one step. */
function stepsOf(
  world: AppWorld,
  actions: readonly Action[],
  born: readonly (RunnerId | undefined)[],
  now: Moment,
): readonly Step[] {
  const steps: Step[] = []
  for (const [index, action] of actions.entries()) {
    if (!isDone(world, action)) continue
    const step = stepOf(world, action, born[index], now)
    const last = steps.at(-1)
    if (last?.kind === 'start' && step.kind === 'start' && last.cause === step.cause && last.startAt === step.startAt)
      steps[steps.length - 1] = { ...last, count: last.count + 1, runners: [...last.runners, ...step.runners] }
    else steps.push(step)
  }
  return steps
}

function stepOf(world: AppWorld, action: Action, born: RunnerId | undefined, now: Moment): Step {
  switch (action.kind) {
    case 'start': {
      const { startAt, successorOf, revision } = action
      const cause = successorOf !== undefined ? 'replace' : revision.id === world.active?.id ? 'demand' : 'rolling'
      const runners = born === undefined ? [] : [born]
      return { kind: 'start', cause, runners, count: 1, ...(startAt > now ? { startAt } : {}) }
    }
    case 'begin':
      return { kind: 'begin', runner: action.runner.id }
    case 'cancel': {
      const isAboveCap = action.reason === 'scale_down' && action.runner.state !== 'pending'
      return { kind: 'cancel', runner: action.runner.id, cause: action.reason, isAboveCap }
    }
    default: {
      const { runner, reason: cause } = action
      const loaded = world.runners.find((each) => each.runner.id === runner.id)
      const used = loaded?.used ?? true
      const idleMs = loaded === undefined || loaded.inFlight > 0 ? 0 : Math.max(0, now - loaded.idleSince)
      const limitMs = world.app === undefined ? 0 : idleLimitMs(world.app.scale, used)
      return { kind: 'drain', runner: runner.id, cause, idleMs, limitMs, used }
    }
  }
}

/** An app that is as it should be gets away with comparing a few numbers. */
function blocksOf(
  world: AppWorld,
  { scaling }: Plan,
  born: readonly (RunnerId | undefined)[],
  now: Moment,
): readonly Block[] {
  const { app, active, rolling, held = 0 } = world
  if (app === undefined || world.over === true) return []
  const blocks: Block[] = []
  if (held > 0) blocks.push({ kind: 'paused', held })
  if (scaling !== undefined && active !== undefined) {
    const { demand, desired, counted } = scaling
    const { max_concurrency: cap, scaling_delay: seconds } = app.scale
    // Only who has all that the cap allows can be kept from more by it.
    if (desired.atMost === cap) {
      const { wanted } = calculated(app.scale, demand.running + demand.waiting)
      if (wanted > cap) blocks.push({ kind: 'max_concurrency', wanted, cap })
    }
    if (desired.atMost > counted && desired.atMost > desired.atLeast) {
      const until = patientUntil(app.scale, demand, now)
      if (until !== undefined) blocks.push({ kind: 'scaling_delay', until, seconds, waiting: demand.waiting })
    }
    const wait = backoffIn(world, active, desired.atLeast > counted, now)
    if (wait !== undefined) blocks.push(wait)
    blocks.push(...placeless(world, born))
  } else if (rolling !== undefined) {
    blocks.push({ kind: 'first_deploy', revisionId: rolling.id })
  }
  return blocks
}

/** What is to be started, or is pending, waits because earlier starts failed. */
function backoffIn(world: AppWorld, revision: Revision, isShort: boolean, now: Moment): Block | undefined {
  const backoff = world.backoffOf(revision.id)
  if (backoff === undefined) return undefined
  const until = nextStartAt(backoff, now)
  if (until <= now) return undefined
  const waits = ({ runner }: AppWorld['runners'][number]) =>
    runner.state === 'pending' && runner.revisionId === revision.id && runner.startAt > now
  if (!isShort && !world.runners.some(waits)) return undefined
  const failed = world.failureOf?.(revision.id)
  return {
    kind: 'backoff',
    revisionId: revision.id,
    until,
    failures: backoff.failures,
    ...(failed && { failed: failedStart(failed) }),
  }
}

/** Runners that nothing has room for, those with the same kind of reason together. */
function placeless({ runners, unplacedOf }: AppWorld, born: readonly (RunnerId | undefined)[]): readonly Block[] {
  const isPending = ({ runner }: AppWorld['runners'][number]) => runner.state === 'pending'
  if (unplacedOf === undefined || (born.length === 0 && !runners.some(isPending))) return []
  const pending = runners.filter(isPending).map(({ runner }) => runner.id)
  const blocks = new Map<string, Extract<Block, { kind: 'no_place' }>>()
  for (const id of new Set([...pending, ...born])) {
    const why = id === undefined ? undefined : unplacedOf(id)
    if (why === undefined) continue
    blocks.set(why.kind, { kind: 'no_place', runners: (blocks.get(why.kind)?.runners ?? 0) + 1, why })
  }
  return [...blocks.values()]
}

function failedStart({ id, reason, endedAt, exit }: Terminated): FailedStart {
  return { runnerId: id, reason, endedAt, ...(exit && { exit }) }
}
