import type { Moment } from '../kit/clock.ts'
import type { Decision } from './decision.ts'
import { formulaOf } from './decision-words.ts'
import type { AppId, RevisionId, RunnerId } from './ids.ts'
import { exceededWords, type Exit, type Runner } from './runner.ts'
import { spellExit, spellTime } from './spell.ts'

/** What is on record of a runner. What has not happened is absent. */
export interface RunnerRecord {
  readonly id: RunnerId
  readonly appId: AppId
  readonly revisionId: RevisionId
  readonly machineType: string
  readonly state: Runner['state']
  readonly createdAt: Moment
  readonly startAt?: Moment
  readonly startedAt?: Moment
  readonly readyAt?: Moment
  readonly readyBy?: Moment
  readonly drainingSince?: Moment
  readonly drainReason?: string
  readonly endedAt?: Moment
  readonly endReason?: string
  readonly exit?: Exit
}

/** Why a runner is there, or why it went. */
export interface RunnerStory {
  /** `owner/name` */
  readonly app: string
  readonly runner: RunnerRecord
  /** The decision by which it was started, while that is remembered. */
  readonly startedBy?: Decision | undefined
  /** The decision by which it was ended, if it was one. */
  readonly endedBy?: Decision | undefined
}

/** A runner's life in sentences. Pure. */
export function runnerSentences({ app, runner, startedBy, endedBy }: RunnerStory, now: Moment): readonly string[] {
  return [
    `Runner ${runner.id} is one of ${app}, revision ${runner.revisionId}, on the machine type ${runner.machineType}.`,
    ...bornSentences(runner, startedBy),
    ...upSentences(runner, now),
    ...endSentences(runner, endedBy, now),
  ]
}

function bornSentences(runner: RunnerRecord, decision: Decision | undefined): readonly string[] {
  if (decision === undefined) return []
  const step = decision.steps.find((each) => each.kind === 'start' && each.runners.includes(runner.id))
  const cause = step?.kind === 'start' ? step.cause : 'demand'
  if (cause === 'rolling') return ['It was wanted as the first runner of a rolling deploy.']
  if (cause === 'replace') return ['It was wanted to take the place of another runner.']
  const { scaling } = decision
  if (scaling === undefined) return []
  const { running, waiting, counted, scale, atLeast } = scaling
  const seen = `${running} running, ${waiting} waiting, ${counted} ${counted === 1 ? 'runner' : 'runners'} there`
  return [`It was wanted at ${iso(decision.at)}: ${seen}; ${formulaOf(scale, atLeast)}.`]
}

function upSentences(runner: RunnerRecord, now: Moment): readonly string[] {
  const { createdAt, startAt, startedAt, readyAt, readyBy, state, endedAt } = runner
  if (state === 'pending') {
    if (startAt !== undefined && startAt > now)
      return [`It begins in ${spellTime(startAt - now)}: earlier starts of its revision failed.`]
    return [`It has waited to be started for ${spellTime(now - createdAt)}.`]
  }
  const began = startedAt ?? createdAt
  const waited = began - createdAt >= 1_000 ? ` after waiting for ${spellTime(began - createdAt)}` : ''
  if (readyAt !== undefined)
    return [`It was started at ${iso(began)}${waited} and ready ${spellTime(readyAt - began)} later.`]
  if (startedAt === undefined && endedAt !== undefined) return ['It was never started.']
  const left = state === 'setup' && readyBy !== undefined ? `; it must be ready in ${spellTime(readyBy - now)}` : ''
  const tense = state === 'setup' ? `is starting for ${spellTime(now - began)}${left}` : 'was never ready'
  return [`It was started at ${iso(began)}${waited} and ${tense}.`]
}

function endSentences(runner: RunnerRecord, endedBy: Decision | undefined, now: Moment): readonly string[] {
  const { endReason, endedAt, drainingSince, drainReason, exit, state } = runner
  if (state === 'draining' && drainingSince !== undefined)
    return [`It has been ending for ${spellTime(now - drainingSince)}: ${reasonOf(runner, drainReason, endedBy)}.`]
  if (state === 'serving') return ['It serves.']
  if (endedAt === undefined) return []
  const code = exit === undefined ? '' : ` Its process ended${spellExit(exit)}.`
  return [`It ended at ${iso(endedAt)}: ${reasonOf(runner, endReason, endedBy)}.${code}`]
}

function reasonOf(runner: RunnerRecord, reason = 'unknown', endedBy: Decision | undefined): string {
  const words = endReasons.get(reason) ?? `the reason on record is ${reason}`
  if (reason !== 'keep_alive') return words
  const step = endedBy?.steps.find((each) => each.kind === 'drain' && each.runner === runner.id)
  if (step?.kind !== 'drain') return words
  const rule = step.used ? 'keep_alive is' : 'it never had a request, and such a runner may idle for'
  return `it was idle for ${spellTime(step.idleMs)} and not wanted; ${rule} ${spellTime(step.limitMs)}`
}

/** What the stored words mean. */
const endReasons: ReadonlyMap<string, string> = new Map([
  ['keep_alive', 'it was idle for longer than keep_alive and not wanted'],
  ['scale_down', 'it was not wanted any more, or there were more runners than max_concurrency allows'],
  ['deploy', 'another revision took its place'],
  ['rollout', 'a rollout put a new runner in its place'],
  ['stopped', 'somebody stopped it, or had it replaced'],
  ['killed', 'somebody killed it'],
  ['app_deleted', 'its app was deleted'],
  ['app_requested', 'its app asked for that: it answered 503, or with `x-fal-stop-runner`'],
  ['request_timeout', 'a request ran longer than request_timeout'],
  ['health_check', 'it failed its health check'],
  ['crash', 'its process ended by itself while it served'],
  ...Object.entries(exceededWords).map(([reason, words]) => [reason, `it ${words}`] as const),
  ['shutdown', 'the server was stopped'],
  ['host_maintenance', 'its machine was taken into maintenance (`carrick machines drain`)'],
  ['startup_timeout', 'it did not open its port within startup_timeout'],
  ['startup_failure', 'it ended before it was ready'],
  ['server_restart', 'the server ended uncleanly, and its next start ended what was left'],
])

const iso = (moment: Moment): string => new Date(moment).toISOString()
