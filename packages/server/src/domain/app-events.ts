import type { Moment } from '../kit/clock.ts'
import type { RevisionId, RunnerId } from './ids.ts'
import { exceededWords } from './runner.ts'

/** What can happen to an app, in the words of the platform API (platform-behaviour §9.4). */
export const eventCategories = [
  'runner_pending',
  'runner_docker_pull',
  'runner_setup',
  'runner_started',
  'runner_draining',
  'runner_stopping',
  'runner_finished',
  'runner_failed',
  'runner_startup_failure',
  'deployment_started',
  'deployment_ended',
  'deployment_failed',
  'deployment_rolling_started',
  'deployment_rolling_ended',
  'deployment_rolling_failed',
  'deployment_recreate_applied',
  'config_changed',
] as const
export type EventCategory = (typeof eventCategories)[number]

/** Something that happened to an app. Nobody wrote it down as such: it is read off rows that exist anyway. */
export interface AppEvent {
  /** Sorts events of one millisecond, and never changes. */
  readonly id: string
  readonly category: EventCategory
  readonly at: Moment
  readonly detail: Readonly<Record<string, unknown>>
}

/** A runner's life, by the moments at which it went on. What has not happened is absent. */
export interface RunnerLife {
  readonly id: RunnerId
  readonly machineType: string
  readonly revisionId: RevisionId
  readonly createdAt: Moment
  /** When it was started; of older runners give or take a scheduler pass. */
  readonly startedAt?: Moment
  readonly readyAt?: Moment
  readonly drainingAt?: Moment
  readonly drainReason?: string
  readonly endedAt?: Moment
  readonly endReason?: string
}

/** A change that somebody asked for, as the record of changes tells it. */
export interface RecordedChange {
  readonly id: string
  readonly keyId: string
  readonly at: Moment
  readonly endedAt?: Moment
  readonly action: string
  readonly outcome: 'begun' | 'done' | 'failed'
  readonly detail: Readonly<Record<string, unknown>>
}

const failures: ReadonlySet<string> = new Set([
  'crash',
  ...Object.keys(exceededWords),
  'request_timeout',
  'health_check',
  'server_restart',
])
const startupFailures: ReadonlySet<string> = new Set(['startup_failure', 'startup_timeout'])

/** What happened to a runner. */
export function eventsOfRunner(runner: RunnerLife): readonly AppEvent[] {
  const { id, machineType, revisionId, createdAt, startedAt, readyAt, drainingAt, endedAt } = runner
  const event = (category: EventCategory, at: Moment | undefined, state: string, reason?: string): AppEvent[] => {
    if (at === undefined) return []
    const detail = { job_id: id, machine_type: machineType, new_application_id: revisionId, state, ...whyOf(reason) }
    return [{ id: `${id}.${category}`, category, at, detail }]
  }
  return [
    ...event('runner_pending', createdAt, 'PENDING'),
    ...event('runner_setup', startedAt, 'SETUP'),
    ...event('runner_started', readyAt, 'IDLE'),
    ...event('runner_draining', drainingAt, 'DRAINING', runner.drainReason),
    ...event(endOf(runner.endReason ?? ''), endedAt, 'TERMINATED', runner.endReason),
  ]
}

function endOf(reason: string): EventCategory {
  if (startupFailures.has(reason)) return 'runner_startup_failure'
  return failures.has(reason) ? 'runner_failed' : 'runner_finished'
}

const whyOf = (reason: string | undefined) => (reason === undefined ? {} : { reason })

/** What a change meant for its app: a deployment that began and ended, or settings that are others now. */
export function eventsOfChange(change: RecordedChange): readonly AppEvent[] {
  switch (change.action) {
    case 'deploy':
    case 'set_revision':
      return change.detail['strategy'] === 'recreate' ? recreated(change) : rolled(change)
    case 'scale_app':
      return change.outcome === 'done' ? [configChanged(change)] : []
    default:
      return []
  }
}

function rolled(change: RecordedChange): readonly AppEvent[] {
  const began = deployment(change, 'deployment_rolling_started', change.at)
  if (change.endedAt === undefined) return [began]
  const how = change.outcome === 'done' ? 'deployment_rolling_ended' : 'deployment_rolling_failed'
  return [began, deployment(change, how, change.endedAt)]
}

function recreated(change: RecordedChange): readonly AppEvent[] {
  const began = deployment(change, 'deployment_started', change.at)
  if (change.endedAt === undefined) return [began]
  const how = change.outcome === 'done' ? 'deployment_recreate_applied' : 'deployment_failed'
  return [began, deployment(change, how, change.endedAt)]
}

function deployment({ id, keyId, detail }: RecordedChange, category: EventCategory, at: Moment): AppEvent {
  const { revision, authMode, why } = detail
  return {
    id: `${id}.${category}`,
    category,
    at,
    detail: {
      key_id: keyId,
      ...(revision === undefined ? {} : { new_application_id: revision }),
      ...(authMode === undefined ? {} : { new_app_auth_mode: authMode }),
      ...(why === undefined ? {} : { reason: why }),
    },
  }
}

function configChanged({ id, keyId, at, endedAt = at, detail }: RecordedChange): AppEvent {
  const { before, after } = detail
  return {
    id: `${id}.config_changed`,
    category: 'config_changed',
    at: endedAt,
    detail: { key_id: keyId, old_config: before ?? null, new_config: after ?? null },
  }
}
