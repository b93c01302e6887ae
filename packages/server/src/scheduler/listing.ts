import type { App } from '../domain/app.ts'
import type { Unplaced } from '../domain/placement.ts'
import type { Held, Replacement, RunnerView, RunnerViewState } from '../domain/runner-view.ts'
import type { Runner, Terminated } from '../domain/runner.ts'
import { idleLimitMs } from '../domain/scaling.ts'
import { assertNever } from '../kit/assert-never.ts'
import type { Moment } from '../kit/clock.ts'
import type { Loaded } from './plan.ts'

interface Extras {
  /** The app, unless it was deleted. */
  readonly app: App | undefined
  readonly appName: string
  readonly requests: readonly Held[]
  readonly replacement: Replacement
  /** Its image is not on its machine yet. */
  readonly isPulling: boolean
  readonly waitsFor: Unplaced | undefined
}

/** A live runner as people see it. */
export function viewOfLive(
  loaded: Loaded,
  { app, appName, requests, replacement, isPulling, waitsFor }: Extras,
  now: Moment,
): RunnerView {
  const { runner, inFlight } = loaded
  const expiresAt = app && expiryOf(loaded, app)
  return {
    ...common(runner, appName, now),
    state: isPulling && runner.state === 'setup' ? 'docker_pull' : stateOf(loaded, now),
    inFlight,
    requests,
    replacement,
    ...(loaded.frozenSince !== undefined && inFlight === 0 && { frozenSince: loaded.frozenSince }),
    ...(waitsFor && { waitsFor }),
    ...(expiresAt === undefined ? {} : { expiresInSeconds: Math.max(0, Math.ceil((expiresAt - now) / 1_000)) }),
    ...(runner.state === 'draining' ? { reason: runner.reason } : {}),
  }
}

/** A runner that has ended. */
export function viewOfEnded(runner: Terminated, appName: string): RunnerView {
  const { endedAt, reason, exit } = runner
  const rest = { inFlight: 0, requests: [], replacement: 'none' as const }
  return {
    ...common(runner, appName, endedAt),
    state: 'terminated',
    ...rest,
    endedAt,
    reason,
    ...(exit ? { exit } : {}),
  }
}

function common(runner: Runner, appName: string, until: Moment) {
  const { id, appId, revisionId, machineType, createdAt, placement } = runner
  const uptimeSeconds = Math.max(0, until - createdAt) / 1_000
  const named = { id, appId, appName, revisionId, machineType, uptimeSeconds, startedAt: createdAt }
  return placement === undefined ? named : { ...named, placement }
}

function stateOf({ runner, inFlight }: Loaded, now: Moment): RunnerViewState {
  switch (runner.state) {
    case 'pending':
      return runner.startAt > now ? 'crash_backoff' : 'pending'
    case 'setup':
      return 'setup'
    case 'serving':
      return inFlight > 0 ? 'running' : 'idle'
    case 'draining':
      return inFlight > 0 ? 'draining' : 'terminating'
    default:
      return assertNever(runner)
  }
}

/** When an idle runner goes if nothing comes. Those that the floor keeps do not. */
function expiryOf({ runner, inFlight, idleSince, used }: Loaded, { scale }: App): Moment | undefined {
  const isKept = Math.max(scale.min_concurrency, scale.concurrency_buffer) > 0
  if (runner.state !== 'serving' || inFlight > 0 || isKept) return undefined
  return idleSince + idleLimitMs(scale, used)
}
