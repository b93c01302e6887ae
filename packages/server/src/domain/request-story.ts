import type { Moment } from '../kit/clock.ts'
import { assertNever } from '../kit/assert-never.ts'
import type { Block, Decision } from './decision.ts'
import { blockSentence } from './decision-words.ts'
import type { RequestId, RunnerId } from './ids.ts'
import { phases, type Durations, type RequestTimeline } from './request-timeline.ts'
import type { RequestState } from './request.ts'
import { spellCount, spellList, spellTime } from './spell.ts'

/** What is known of a queued request and of its app when somebody asks why it is where it is. */
export interface RequestStory {
  readonly id: RequestId
  /** `owner/name` */
  readonly app: string
  readonly state: RequestState
  readonly acceptedAt: Moment
  /** Attempts begun so far. */
  readonly attempt: number
  readonly runnerId?: RunnerId | undefined
  readonly startedAt?: Moment | undefined
  readonly finishedAt?: Moment | undefined
  readonly status?: number | undefined
  readonly error?: { readonly code: string; readonly message: string } | undefined
  readonly cancelRequestedAt?: Moment | undefined
  readonly dead: boolean
  /** Attempts that failed and were, or are to be, followed by another. */
  readonly failures: readonly FailedAttempt[]
  /** When it may be tried; 0 for at once. */
  readonly dueAt: Moment
  /** It ends with 504 if it has not started by then. */
  readonly startBy?: Moment | undefined
  /** How many are served before it; undefined when it does not wait in line. */
  readonly position?: number | undefined
  readonly timeline?: RequestTimeline | undefined
  /** What would be decided about its app's runners now. */
  readonly decision: Decision
}

export interface FailedAttempt {
  readonly number: number
  readonly runnerId: RunnerId
  /** The error's code or the app's status. */
  readonly failedAs: string
}

/** One reason why a request waits, runs or is over. */
export type RequestReason =
  | {
      readonly kind: 'running'
      readonly runnerId: RunnerId
      readonly since: Moment
      readonly attempt: number
      readonly until: Moment
    }
  | { readonly kind: 'cancelling'; readonly since: Moment }
  | { readonly kind: 'in_line'; readonly since: Moment; readonly ahead: number }
  | { readonly kind: 'attempt_failed'; readonly number: number; readonly runnerId: RunnerId; readonly failedAs: string }
  | { readonly kind: 'retry_due'; readonly at: Moment }
  | { readonly kind: 'all_busy'; readonly runners: number; readonly multiplexing: number }
  | { readonly kind: 'starting'; readonly runners: number; readonly since: Moment; readonly startupTimeout: number }
  | { readonly kind: 'about_to_start'; readonly runners: number }
  | { readonly kind: 'pending'; readonly runners: number }
  | { readonly kind: 'about_to_run' }
  | { readonly kind: 'finishing'; readonly runners: number; readonly cap: number }
  | { readonly kind: 'no_app' }
  | { readonly kind: 'start_deadline'; readonly at: Moment }
  | { readonly kind: 'blocked'; readonly block: Block }
  | { readonly kind: 'time'; readonly durations: Durations }
  | {
      readonly kind: 'ended'
      readonly status: number
      readonly afterMs: number
      readonly attempts: number
      readonly runnerId?: RunnerId
      readonly error?: RequestStory['error']
    }
  | { readonly kind: 'dead'; readonly id: RequestId }

/** Why a request is where it is, what weighs most first. Pure. */
export function requestReasons(story: RequestStory): readonly RequestReason[] {
  const failures = story.failures.map((failed) => ({ kind: 'attempt_failed' as const, ...failed }))
  const time = story.timeline === undefined ? [] : [{ kind: 'time' as const, durations: story.timeline.durations }]
  if (story.state === 'completed') return [...endedReasons(story), ...failures, ...time]
  if (story.state === 'running') return [...runningReasons(story), ...failures, ...time]
  return [...waitingReasons(story), ...failures]
}

/** A reason as a sentence. `at` is when it was found. */
export function reasonSentence(reason: RequestReason, app: string, at: Moment): string {
  switch (reason.kind) {
    case 'running':
      return `It is running on runner ${reason.runnerId} for ${spellTime(at - reason.since)} (attempt ${reason.attempt}); request_timeout ends it in ${spellTime(reason.until - at)}.`
    case 'cancelling':
      return `Its cancellation was asked for ${spellTime(at - reason.since)} ago: its app was told, and has not ended it yet.`
    case 'in_line':
      return `It has waited for ${spellTime(at - reason.since)}: ${reason.ahead === 0 ? 'it is the next one' : `${spellCount(reason.ahead, 'request is', 'requests are')} served before it`}.`
    case 'attempt_failed':
      return `Attempt ${reason.number} failed on runner ${reason.runnerId} with ${reason.failedAs} (\`carrick runners explain ${reason.runnerId}\`).`
    case 'retry_due':
      return `Its next attempt is due in ${spellTime(reason.at - at)}.`
    case 'all_busy':
      return `No slot is free: ${reason.runners === 1 ? 'the one runner that serves has' : `all ${reason.runners} runners that serve have`} max_multiplexing (${reason.multiplexing}) ${reason.multiplexing === 1 ? 'request' : 'requests'} each.`
    case 'starting':
      return `${spellCount(reason.runners, 'runner is', 'runners are')} starting, ${reason.runners === 1 ? '' : 'the first '}for ${spellTime(at - reason.since)}; startup_timeout allows ${reason.startupTimeout} s.`
    case 'about_to_start':
      return `${spellCount(reason.runners, 'runner is', 'runners are')} about to be started.`
    case 'pending':
      return `${spellCount(reason.runners, 'runner waits', 'runners wait')} to be started.`
    case 'finishing':
      return `${spellCount(reason.runners, 'runner that is ending still works', 'runners that are ending still work')}, and no more than max_concurrency (${reason.cap}) may work at a time.`
    case 'about_to_run':
      return 'A slot is free, so it is about to run.'
    case 'no_app':
      return 'Its app was deleted, or has no active revision.'
    case 'start_deadline':
      return `If it has not started in ${spellTime(reason.at - at)}, it ends with 504 (request_start_timeout of the app, or X-Fal-Request-Timeout of the caller).`
    case 'blocked':
      return blockSentence(reason.block, app, at)
    case 'time':
      return timeSentence(reason.durations)
    case 'ended': {
      const where = reason.runnerId === undefined ? '' : ` on runner ${reason.runnerId}`
      const tries = reason.attempts === 0 ? ' before any attempt' : `${where} in attempt ${reason.attempts}`
      const why = reason.error === undefined ? '' : `: ${reason.error.code}, ${reason.error.message}`
      return `It ended with ${reason.status}${tries}, ${spellTime(reason.afterMs)} after it came${why}${why.endsWith('.') ? '' : '.'}`
    }
    case 'dead':
      return `All its attempts failed, so it is a dead letter: \`carrick requests retry ${reason.id}\` sends it once more.`
    default:
      return assertNever(reason)
  }
}

function endedReasons({ id, status = 0, finishedAt, acceptedAt, attempt, runnerId, error, dead }: RequestStory) {
  const ended: RequestReason = {
    kind: 'ended',
    status,
    afterMs: (finishedAt ?? acceptedAt) - acceptedAt,
    attempts: attempt,
    ...(attempt > 0 && runnerId !== undefined && { runnerId }),
    ...(error && { error }),
  }
  return dead ? [ended, { kind: 'dead' as const, id }] : [ended]
}

function runningReasons({ runnerId = '', startedAt, attempt, cancelRequestedAt, ...story }: RequestStory) {
  const since = startedAt ?? story.decision.at
  const timeout = story.decision.scaling?.scale.request_timeout ?? 3_600
  const running: RequestReason = { kind: 'running', runnerId, since, attempt, until: since + timeout * 1_000 }
  return cancelRequestedAt === undefined
    ? [running]
    : [running, { kind: 'cancelling' as const, since: cancelRequestedAt }]
}

function waitingReasons({ acceptedAt, position, dueAt, startBy, decision }: RequestStory): readonly RequestReason[] {
  const { at } = decision
  const isDue = dueAt <= at
  return [
    ...(position === undefined ? [] : [{ kind: 'in_line' as const, since: acceptedAt, ahead: position }]),
    ...(isDue ? slotReasons(decision) : [{ kind: 'retry_due' as const, at: dueAt }]),
    ...(startBy !== undefined && startBy > at ? [{ kind: 'start_deadline' as const, at: startBy }] : []),
  ]
}

/** Why there is no slot for what waits in line. */
function slotReasons({ scaling, there, steps, blocks }: Decision): readonly RequestReason[] {
  const blocked = blocks.map((block) => ({ kind: 'blocked' as const, block }))
  if (blocks.some(({ kind }) => kind === 'paused' || kind === 'first_deploy')) return blocked
  if (scaling === undefined) return [{ kind: 'no_app' }]
  const { max_multiplexing: multiplexing, startup_timeout: startupTimeout } = scaling.scale
  const serving = there.idle + there.busy
  const starts = steps.reduce((sum, step) => sum + (step.kind === 'start' && !step.startAt ? step.count : 0), 0)
  const reasons: RequestReason[] = []
  if (serving > 0 && scaling.running >= serving * multiplexing)
    reasons.push({ kind: 'all_busy', runners: serving, multiplexing })
  const { max_concurrency: cap } = scaling.scale
  if (there.finishing > 0 && there.finishing + there.busy >= cap)
    reasons.push({ kind: 'finishing', runners: there.finishing, cap })
  if (there.startingSince !== undefined)
    reasons.push({ kind: 'starting', runners: there.starting, since: there.startingSince, startupTimeout })
  if (starts > 0) reasons.push({ kind: 'about_to_start', runners: starts })
  if (there.pending > 0 && blocks.length === 0) reasons.push({ kind: 'pending', runners: there.pending })
  if (reasons.length === 0 && blocks.length === 0) return [{ kind: 'about_to_run' }]
  return [...reasons, ...blocked]
}

const phaseWords: Readonly<Record<(typeof phases)[number], string>> = {
  queued: 'in line',
  waiting_for_machine: 'waiting for a machine',
  starting: 'for its runner to be started',
  set_up: "in its runner's imports and setup()",
  running: 'running',
  backing_off: 'between attempts',
  storing: 'being stored',
}

/** What took less than that is not worth a word. */
const leastMs = 1

function timeSentence(durations: Durations): string {
  const words = phases
    .filter((phase) => durations[phase] >= leastMs)
    .map((phase) => `${spellTime(durations[phase])} ${phaseWords[phase]}`)
  return words.length === 0 ? 'It took no time.' : `Its time: ${spellList(words)}.`
}
