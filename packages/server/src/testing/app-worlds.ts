import * as fc from 'fast-check'
import type { App } from '../domain/app.ts'
import { queueDefaults } from '../domain/queue-settings.ts'
import type { Revision } from '../domain/revision.ts'
import { drain, pend, start, type LiveRunner } from '../domain/runner.ts'
import { changedScale, serverDefaults, type ScaleChanges } from '../domain/scale.ts'
import type { Action, AppWorld, Loaded } from '../scheduler/plan.ts'
import { testSpec } from './scheduler.ts'

/** When the worlds of these makers are. */
export const worldNow = 1_000_000

/** A runner as a test thinks of it. */
export interface Made {
  readonly state: LiveRunner['state']
  readonly revision?: string
  readonly inFlight?: number
  readonly idleForMs?: number
  readonly used?: boolean
  readonly machineType?: string
  /** The machine that it is on, where that counts. */
  readonly on?: string
}

export function loaded(made: Made, index: number): Loaded {
  const { state, revision = 'new', inFlight = 0, idleForMs = 0, used = true, machineType = 'XS' } = made
  const placement = { machineId: made.on ?? 'box', machineType, cpus: 1, memoryBytes: 1, gpus: [] }
  const place = made.on === undefined ? {} : { placement }
  const machine = { appId: 'app', accountId: 'account', revisionId: revision, machineType, createdAt: 0, ...place }
  const pending = pend({ ...machine, id: `${state}-${index}` }, worldNow)
  const address = { host: '127.0.0.1', port: index }
  const serving = { ...machine, id: pending.id, state: 'serving' as const, address, readyAt: 0 }
  const runner = {
    pending,
    setup: start(pending, 1, worldNow),
    serving,
    draining: drain(serving, 'stopped', worldNow),
  }[state]
  return { runner, inFlight, idleSince: worldNow - idleForMs, used }
}

/** An app whose active revision is `new`, with these runners and, unless more is said, no requests. */
export function worldOf(scale: ScaleChanges, runners: readonly Made[], more: Partial<AppWorld> = {}): AppWorld {
  return {
    app: appWith(scale),
    active: revisionOf('new'),
    runners: runners.map(loaded),
    demand: { running: 0, waiting: 0 },
    replacing: new Map(),
    backoffOf: () => undefined,
    ...more,
  }
}

/** The runners that a plan ends. */
export const ended = (actions: readonly Action[]): readonly string[] =>
  actions.flatMap((action) => (action.kind === 'drain' || action.kind === 'cancel' ? [action.runner.id] : []))

export const anyMade: fc.Arbitrary<Made> = fc.oneof(
  fc.record({ state: fc.constantFrom('pending' as const, 'setup' as const) }),
  fc.record({
    state: fc.constantFrom('serving' as const, 'draining' as const),
    inFlight: fc.nat(3),
    idleForMs: fc.nat(100_000),
    used: fc.boolean(),
  }),
)

export const anyScale: fc.Arbitrary<ScaleChanges> = fc
  .record({
    min_concurrency: fc.nat(4),
    max_concurrency: fc.integer({ min: 1, max: 6 }),
    concurrency_buffer: fc.nat(3),
    concurrency_buffer_perc: fc.nat(200),
    keep_alive: fc.nat(60),
    max_multiplexing: fc.integer({ min: 1, max: 3 }),
    scaling_delay: fc.nat(5),
  })
  .map((scale) => ({ ...scale, min_concurrency: Math.min(scale.min_concurrency, scale.max_concurrency) }))

export const anyWorld: fc.Arbitrary<AppWorld> = fc
  .tuple(anyScale, fc.array(anyMade, { maxLength: 10 }), fc.nat(20), fc.nat(10_000))
  .map(([scale, runners, waiting, waitedMs]) =>
    worldOf(scale, runners, {
      demand: { running: 0, waiting, ...(waiting > 0 && { waitingSince: worldNow - waitedMs }) },
    }),
  )

function revisionOf(id: string): Revision {
  return { id, appId: 'app', accountId: 'account', createdAt: 0, spec: testSpec() }
}

function appWith(scale: ScaleChanges): App {
  return {
    id: 'app',
    accountId: 'account',
    owner: 'ann',
    name: 'hello',
    environment: 'main',
    authMode: 'private',
    revisionId: 'new',
    scale: changedScale(serverDefaults, scale),
    queue: queueDefaults,
    createdAt: 0,
    updatedAt: 0,
  }
}
