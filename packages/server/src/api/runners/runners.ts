import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import type { AppId } from '../../domain/ids.ts'
import type { Caller } from '../../domain/permissions.ts'
import { renewalOf } from '../../domain/rollout.ts'
import type { RunnerView } from '../../domain/runner-view.ts'
import type { EndReason } from '../../domain/runner.ts'
import type { Moment } from '../../kit/clock.ts'
import { runnerById } from '../../store/runners.ts'
import { findApp, NamedApp } from '../apps/apps.ts'
import type { Deps } from '../deps.ts'
import { operation } from '../operation.ts'

const Which = z.object({
  /** Also those that do not serve yet. */
  pending: z.boolean().default(true),
  /** Also those that ended since then, within the last day. */
  endedSince: z.number().optional(),
})
type Which = z.output<typeof Which>

const oneDayMs = 24 * 60 * 60_000

/** The runners of all the caller's apps. */
export const listRunners = operation({ permission: 'runners:read', input: Which }, async (deps, caller, which) =>
  listed(deps, caller, which),
)

/** The runners of one app, also those that serve one of its revisions by name. */
export const listAppRunners = operation(
  { permission: 'runners:read', input: NamedApp.extend(Which.shape) },
  async (deps, caller, { name, environment, ...which }) => {
    const app = await findApp(deps, caller, { name, environment })
    return (await listed(deps, caller, which)).filter(({ appId }) => isOf(deps, app.id, appId))
  },
)

/** Lets a runner finish its requests, then ends it. */
export const stopRunner = operation(
  { permission: 'runners:write', input: z.object({ id: z.string(), replaceFirst: z.boolean() }) },
  async (deps, caller, { id, replaceFirst }) => {
    await requireLive(deps, caller, id)
    await deps.runners.stopRunner(id, { replaceFirst })
  },
  { action: 'stop_runner', about: ({ id, replaceFirst }) => ({ subject: id, replaceFirst }) },
)

/** Ends a runner now; what it was doing is lost. */
export const killRunner = operation(
  { permission: 'runners:write', input: z.object({ id: z.string() }) },
  async (deps, caller, { id }) => {
    await requireLive(deps, caller, id)
    await deps.runners.killRunner(id)
  },
  { action: 'kill_runner', about: ({ id }) => ({ subject: id }) },
)

/**
 * Puts new runners in the place of an app's, and of those that serve one of its revisions by name: each once its successor is
 * ready, or by force all at once.
 */
export const renewRunners = operation(
  { permission: 'apps:write', input: NamedApp.extend({ force: z.boolean().default(false) }) },
  async (deps, caller, { force, ...named }): Promise<void> => {
    const app = await findApp(deps, caller, named)
    const all = await deps.runners.listing(caller.accountId)
    const activeOf = (id: AppId) => deps.apps.byId(id)?.app.revisionId
    const runners = all.filter(({ appId }) => isOf(deps, app.id, appId))
    await Promise.all(
      runners.map((runner) => renew(deps, runner, renewalOf(runner, { active: activeOf(runner.appId), force }))),
    )
  },
  { action: 'roll_out', about: ({ name, force }) => ({ subject: name, force }) },
)

/** Whether runners of an app count as those of `app`: they are its own, or serve one of its revisions by name. */
function isOf({ apps }: Deps, app: AppId, id: AppId): boolean {
  return id === app || apps.byId(id)?.app.revisionOf === app
}

/** When a runner lived, and why it ended; without an end it lives still. Also of runners that ended long ago. */
export const runnerWindow = operation(
  { permission: 'logs:read', input: z.object({ id: z.string() }) },
  async (
    deps,
    caller,
    { id },
  ): Promise<{ readonly startedAt: Moment; readonly endedAt?: Moment; readonly reason?: EndReason }> => {
    const runner = await deps.store.read(runnerById(id))
    if (runner === undefined || runner.accountId !== caller.accountId) throw unknownRunner(id)
    if (runner.state !== 'terminated') return { startedAt: runner.createdAt }
    return { startedAt: runner.createdAt, endedAt: runner.endedAt, reason: runner.reason }
  },
)

/** One that ended meanwhile is as good as renewed. */
async function renew({ runners }: Deps, { id }: RunnerView, how: ReturnType<typeof renewalOf>): Promise<void> {
  try {
    if (how === 'kill') await runners.killRunner(id, 'rollout')
    if (how === 'replace') await runners.stopRunner(id, { replaceFirst: true, reason: 'rollout' })
  } catch (error) {
    if (!(error instanceof CarrickError && error.code === 'runner_not_found')) throw error
  }
}

async function listed(deps: Deps, caller: Caller, { pending, endedSince }: Which): Promise<readonly RunnerView[]> {
  const since: Moment | undefined = endedSince && Math.max(endedSince, deps.clock.now() - oneDayMs)
  const runners = await deps.runners.listing(caller.accountId, since)
  return pending ? runners : runners.filter(({ state }) => !startingStates.has(state))
}

const startingStates: ReadonlySet<RunnerView['state']> = new Set([
  'pending',
  'docker_pull',
  'setup',
  'crash_backoff',
] as const)

/** Throws `runner_not_found` unless it is one of the caller's and alive. */
export async function requireLive(deps: Deps, caller: Caller, id: string): Promise<void> {
  const runners = await deps.runners.listing(caller.accountId)
  if (!runners.some((runner) => runner.id === id && runner.state !== 'terminated')) throw unknownRunner(id)
}

export const unknownRunner = (id: string) =>
  new CarrickError('runner_not_found', `Runner "${id}" not found: \`fal runners list\` shows those that there are`)
