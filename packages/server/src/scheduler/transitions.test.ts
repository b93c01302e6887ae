import * as fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { RunnerViewState } from '../domain/runner-view.ts'
import {
  awaken,
  bound,
  drain,
  killBy,
  observe,
  pend,
  start,
  terminate,
  exceededWords,
  type EndReason,
  type Exceeded,
  type LiveRunner,
  type Runner,
  type Sighting,
} from '../domain/runner.ts'
import { viewOfLive } from './listing.ts'

/** A runner, what it holds, and the time: all that its state follows from. */
interface World {
  readonly runner?: Runner
  readonly inFlight: number
  readonly now: number
}

type Place = Exclude<RunnerViewState, 'docker_pull'> | 'none'
type Step = (world: World) => World

const second = 1_000
const graceMs = 5 * second
const requestTimeoutMs = 60 * second
const startupMs = 10 * second
const address = { host: '127.0.0.1', port: 1 }
const identity = { id: 'x', appId: 'a', accountId: 'b', revisionId: 'r', machineType: 'XS', createdAt: 0 }
const nothing: World = { inFlight: 0, now: 0 }

function live({ runner }: World): LiveRunner {
  if (runner === undefined || runner.state === 'terminated') throw new Error('there is no live runner')
  return runner
}

function placeOf({ runner, inFlight, now }: World): Place {
  if (runner === undefined) return 'none'
  if (runner.state === 'terminated') return 'terminated'
  const loaded = { runner, inFlight, idleSince: 0, used: false }
  const { state } = viewOfLive(
    loaded,
    { app: undefined, appName: '', requests: [], replacement: 'none', isPulling: false, waitsFor: undefined },
    now,
  )
  if (state === 'docker_pull') throw new Error('nobody pulls here')
  return state
}

// What can happen to a runner. Each is one of the pure functions that the scheduler calls, or what its home counts.
const wanted: Step = (world) => ({ ...world, runner: pend(identity, world.now) })
const wantedAfterFailures: Step = (world) => ({ ...world, runner: pend(identity, world.now + 30 * second) })
const passes =
  (ms: number): Step =>
  (world) => ({ ...world, now: world.now + ms })
/** The delay of one that waits is over as soon as another start succeeded. */
const woken: Step = (world) => {
  const runner = live(world)
  return runner.state === 'pending' ? { ...world, runner: awaken(runner, world.now) } : world
}
const placed: Step = (world) => {
  const runner = live(world)
  return runner.state === 'pending' && runner.startAt <= world.now
    ? { ...world, runner: start(runner, startupMs, world.now) }
    : world
}
const seen =
  (sighting: Sighting): Step =>
  (world) => {
    const runner = observe(live(world), sighting, world.now)
    return { ...world, runner, inFlight: runner.state === 'terminated' ? 0 : world.inFlight }
  }
const accepts = seen({ kind: 'accepting', address })
const exits = seen({ kind: 'exited', exit: { code: 1, signal: null } })
/** A home gives requests to those that serve, and to no others. */
const assigned: Step = (world) =>
  world.runner?.state === 'serving' ? { ...world, inFlight: world.inFlight + 1 } : world
const answered: Step = (world) => ({ ...world, inFlight: Math.max(0, world.inFlight - 1) })
const asked: Step = (world) => {
  const runner = live(world)
  return runner.state === 'serving' ? { ...world, runner: drain(runner, 'stopped', world.now) } : world
}
const bounded: Step = (world) => {
  const runner = live(world)
  if (runner.state !== 'draining') return world
  return { ...world, runner: bound(runner, { inFlight: world.inFlight, graceMs, requestTimeoutMs }, world.now) }
}
const killedSoon: Step = (world) => {
  const asking = asked(world)
  const runner = live(asking)
  return runner.state === 'draining' ? { ...asking, runner: killBy(runner, world.now) } : asking
}
const ended =
  (reason: EndReason): Step =>
  (world) => ({ ...world, runner: terminate(live(world), reason, world.now), inFlight: 0 })

const steps =
  (...all: readonly Step[]): Step =>
  (world) =>
    all.reduce((before, step) => step(before), world)

const to = {
  none: () => nothing,
  pending: wanted,
  crash_backoff: wantedAfterFailures,
  setup: steps(wanted, placed),
  idle: steps(wanted, placed, accepts),
  running: steps(wanted, placed, accepts, assigned),
  draining: steps(wanted, placed, accepts, assigned, asked),
  terminating: steps(wanted, placed, accepts, asked),
  terminated: steps(wanted, placed, exits),
} satisfies Record<Place, Step>

interface Arrow {
  readonly from: Place
  readonly to: Place
  readonly trigger: string
  readonly step: Step
}

const arrow = (from: Place, towards: Place, trigger: string, step: Step): Arrow => ({
  from,
  to: towards,
  trigger,
  step,
})
const everyLive = ['pending', 'crash_backoff', 'setup', 'idle', 'running', 'draining', 'terminating'] as const

/**
 * The diagram (platform-behaviour §1.2). DOCKER_PULL is drawn by pulls.test.ts: it is a
 * runner in setup whose image is not there yet. A keep-alive that is over passes through TERMINATING, like every other end that was asked for.
 */
const arrows: readonly Arrow[] = [
  arrow('none', 'pending', 'load, floor, buffer, deploy, rollout or replacement', wanted),
  arrow('none', 'crash_backoff', 'the same, when earlier starts failed', wantedAfterFailures),
  arrow('crash_backoff', 'pending', 'its delay is over', passes(30 * second)),
  arrow('crash_backoff', 'pending', 'another start of the revision succeeded', woken),
  arrow('pending', 'setup', 'it has a machine', placed),
  arrow('setup', 'idle', 'its port is open and its health check, if any, passes', accepts),
  arrow('setup', 'terminated', 'its process ends', exits),
  arrow('setup', 'terminated', 'startup_timeout', steps(passes(startupMs + 1), seen({ kind: 'starting' }))),
  arrow('idle', 'running', 'a request is given to it', assigned),
  arrow('running', 'idle', 'its last request is over', answered),
  arrow('running', 'draining', 'asked to end, with requests', asked),
  arrow('idle', 'draining', 'asked to end, just as a request came', steps(assigned, asked)),
  arrow('running', 'terminating', 'asked to end, just as its last request was over', steps(answered, asked)),
  arrow('idle', 'terminating', 'asked to end, with nothing to do', asked),
  arrow('draining', 'terminating', 'its last request is over', answered),
  arrow('terminating', 'terminated', 'it has ended, or its grace is over', steps(bounded, passes(graceMs), exits)),
  ...everyLive.map((from) => arrow(from, 'terminated', 'killed, crashed, or no longer wanted', ended('killed'))),
]

const drawn = new Set(arrows.map(({ from, to: towards }) => `${from} → ${towards}`))

describe('every arrow of the diagram is gone along:', () => {
  test.each(arrows)('$from → $to, when: $trigger', ({ from, to: towards, step }) => {
    const before = to[from](nothing)
    expect(placeOf(before)).toBe(from)
    expect(placeOf(step(before))).toBe(towards)
  })
})

const anySighting = fc.oneof(
  fc.constantFrom<Sighting>({ kind: 'unlisted' }, { kind: 'starting' }, { kind: 'pulling' }),
  fc.constant<Sighting>({ kind: 'accepting', address }),
  fc.record({
    kind: fc.constant('exited' as const),
    exit: fc.record({ code: fc.option(fc.nat(255)), signal: fc.constantFrom(null, 'SIGKILL') }),
    exceeded: fc.constantFrom<Exceeded | undefined>(undefined, 'oom', 'pids', 'disk'),
  }),
)
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  anySighting.map(seen),
  fc.constantFrom(woken, placed, accepts, assigned, answered, asked, bounded, killedSoon),
  fc.constantFrom<EndReason>('scale_down', 'startup_failure', 'server_restart', 'app_deleted').map(ended),
  fc.nat(2 * requestTimeoutMs).map(passes),
)

test('no arrow that is not drawn: random sightings, wishes and clocks never leave the diagram', () => {
  fc.assert(
    fc.property(fc.boolean(), fc.array(anyStep, { maxLength: 30 }), (late, all) => {
      let world = (late ? wantedAfterFailures : wanted)(nothing)
      for (const step of all) {
        if (world.runner?.state === 'terminated') break
        const next = step(world)
        const [from, towards] = [placeOf(world), placeOf(next)]
        if (from !== towards) expect(drawn, `${from} → ${towards}`).toContain(`${from} → ${towards}`)
        world = next
      }
    }),
    { numRuns: 2_000 },
  )
})

test('one that has ended has the reason for which it was asked to end, or of what happened to it', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 30 }), (all) => {
      const states: Runner[] = []
      all.reduce<World>((world, step) => {
        if (world.runner?.state === 'terminated') return world
        const next = step(world)
        if (next.runner) states.push(next.runner)
        return next
      }, wanted(nothing))
      const [end, before] = [states.at(-1), states.findLast(({ state }) => state !== 'terminated')]
      if (end?.state !== 'terminated' || before?.state !== 'draining' || end.exit === undefined) return
      expect([before.reason, ...Object.keys(exceededWords)]).toContain(end.reason)
    }),
  )
})

test('the reference shows this diagram', () => {
  const page = readFileSync(new URL('../../../../docs/reference/runners.md', import.meta.url), 'utf8')
  const shown = [...page.matchAll(/^\| `?([A-Z_–]+|any)`? +\| `([A-Z_]+)` +\| ([^|]+?) +\|/gm)].map(
    ([, from, towards, trigger]) => [from, towards, trigger],
  )
  const word = (place: Place) => (place === 'none' ? '–' : place.toUpperCase())
  const expected = arrows
    .slice(0, -everyLive.length)
    .map(({ from, to: towards, trigger }) => [word(from), word(towards), trigger])
  expect(shown).toEqual([...expected, ['any', 'TERMINATED', 'killed, crashed, or no longer wanted']])
})
