import type { RunnerId } from './ids.ts'
import type { Moment } from '../kit/clock.ts'

/** Where the time of a request went. They come in this order, again for each attempt, and leave no gap. */
export const phases = [
  /** It stood in line: for a free slot, or for the decision to start a runner. */
  'queued',
  /** Its runner was wanted and not begun. */
  'waiting_for_machine',
  /** Its runner was begun, and its program did not run yet. */
  'starting',
  /** Its runner's program ran and did not accept calls yet: imports, `setup()`. */
  'set_up',
  /** An attempt was at the app. */
  'running',
  /** An attempt had failed, and the next was not to begin yet. */
  'backing_off',
  /** The app's answer was there; its outcome was on the way to the commit that makes it durable. */
  'storing',
] as const
export type Phase = (typeof phases)[number]

/** Milliseconds by phase. */
export type Durations = Readonly<Record<Phase, number>>

/** How a runner came up. What has not happened is absent. */
export interface RunnerStartUp {
  readonly createdAt: Moment
  readonly startedAt?: Moment
  readonly launchedAt?: Moment
  readonly readyAt?: Moment
}

/** What is on record of an attempt. */
export interface AttemptFacts {
  /** Counted from 1. */
  readonly number: number
  readonly runnerId: RunnerId
  readonly startedAt: Moment
  /** Of one that another follows, or was to: when and how it failed, and when the next may begin. */
  readonly failedAt?: Moment
  readonly failedAs?: string
  readonly retryAt?: Moment
  readonly runner?: RunnerStartUp
}

/** What is on record of a request. */
export interface RequestFacts {
  readonly acceptedAt: Moment
  /** When the last attempt was over. */
  readonly answeredAt?: Moment
  readonly finishedAt?: Moment
  /** In their order. */
  readonly attempts: readonly AttemptFacts[]
  /** While it waits and no runner serves: the one that is coming up. */
  readonly coming?: RunnerStartUp
}

export interface AttemptTimeline extends Pick<AttemptFacts, 'number' | 'runnerId' | 'startedAt'> {
  /** How it failed, where another was to follow: the error's code, or the status that the app answered. */
  readonly failedAs?: string
  /** From the end of the one before it, or from the request's acceptance, to its own end. */
  readonly durations: Durations
}

export interface RequestTimeline {
  /** From its acceptance to its end, or until now. */
  readonly totalMs: number
  /** They add up to the total. */
  readonly durations: Durations
  readonly attempts: readonly AttemptTimeline[]
}

const none: Durations = {
  queued: 0,
  waiting_for_machine: 0,
  starting: 0,
  set_up: 0,
  running: 0,
  backing_off: 0,
  storing: 0,
}

/**
 * Where a request's time went until now. A wait is told by the runner that ended it: as far as that was coming up
 * meanwhile, by how it did. Pure: what is on record says it all, also after a restart.
 */
export function requestTimeline(facts: RequestFacts, now: Moment): RequestTimeline {
  const { acceptedAt, attempts } = facts
  const end = Math.max(acceptedAt, facts.finishedAt ?? now)
  const told: AttemptTimeline[] = []
  let at = acceptedAt
  let due = acceptedAt
  for (const [index, attempt] of attempts.entries()) {
    const { number, runnerId, startedAt, failedAs } = attempt
    const started = within(startedAt, at, end)
    const ended = within(endOf(facts, index) ?? end, started, end)
    const durations = { ...waited(at, started, due, attempt.runner), running: ended - started }
    told.push({ number, runnerId, startedAt, ...(failedAs === undefined ? {} : { failedAs }), durations })
    at = ended
    due = attempt.retryAt ?? ended
  }
  const rest = restOf(facts, at, end, due)
  return {
    totalMs: end - acceptedAt,
    durations: sum([...told.map(({ durations }) => durations), rest]),
    attempts: told,
  }
}

/** What comes after the last attempt, or before the first: the wait for the next, or the end. */
function restOf({ attempts, finishedAt, coming }: RequestFacts, at: Moment, end: Moment, due: Moment): Durations {
  const last = attempts.at(-1)
  if (last !== undefined && last.failedAt === undefined) return { ...none, storing: end - at }
  return waited(at, end, due, finishedAt === undefined ? coming : undefined)
}

/** Undefined while it goes on. An attempt of an older record may have no end: then it went on until the next. */
function endOf({ attempts, answeredAt }: RequestFacts, index: number): Moment | undefined {
  return attempts[index]?.failedAt ?? (index < attempts.length - 1 ? attempts[index + 1]?.startedAt : answeredAt)
}

/** The parts of a wait: backing off until it was due, in line, and what its runner was doing meanwhile. */
function waited(from: Moment, to: Moment, dueAt: Moment, runner: RunnerStartUp | undefined): Durations {
  const due = within(dueAt, from, to)
  const created = within(runner?.createdAt ?? to, due, to)
  const begun = within(runner?.startedAt ?? (runner?.readyAt === undefined ? to : created), created, to)
  const launched = within(runner?.launchedAt ?? (runner?.readyAt === undefined ? to : begun), begun, to)
  const ready = within(runner?.readyAt ?? to, launched, to)
  return {
    ...none,
    backing_off: due - from,
    queued: created - due + (to - ready),
    waiting_for_machine: begun - created,
    starting: launched - begun,
    set_up: ready - launched,
  }
}

const within = (moment: Moment, from: Moment, to: Moment): Moment => Math.min(Math.max(moment, from), to)

function sum(all: readonly Durations[]): Durations {
  const total: Record<Phase, number> = { ...none }
  for (const each of all) for (const phase of phases) total[phase] += each[phase]
  return total
}

/** What is known of a call that nothing is stored of. */
export interface DirectCall {
  readonly cameAt: Moment
  readonly slotAt: Moment
  readonly firstByteAt: Moment
  /** Of the runner that took it. */
  readonly runner?: { readonly createdAt: Moment; readonly readyAt: Moment } | undefined
}

/** A `Server-Timing` header (W3C Server Timing) in milliseconds: in line, a runner's start as far as there was one, and up to the first byte. */
export function serverTiming({ cameAt, slotAt, firstByteAt, runner }: DirectCall): string {
  const created = runner === undefined ? slotAt : within(runner.createdAt, cameAt, slotAt)
  const starting = runner === undefined ? 0 : within(runner.readyAt, created, slotAt) - created
  const start = starting > 0 ? `starting;dur=${starting}, ` : ''
  return `queued;dur=${slotAt - cameAt - starting}, ${start}running;dur=${firstByteAt - slotAt}`
}

/** A timeline as the wire shows it: all of it in milliseconds. */
export function shownTimeline({ totalMs, durations, attempts }: RequestTimeline) {
  return {
    total_ms: totalMs,
    ...shownDurations(durations),
    attempts: attempts.map(({ number, runnerId, startedAt, failedAs, durations: own }) => ({
      number,
      runner_id: runnerId,
      started_at: new Date(startedAt).toISOString(),
      failed_as: failedAs ?? null,
      ...shownDurations(own),
    })),
  }
}

function shownDurations(durations: Durations) {
  return {
    queued_ms: durations.queued,
    waiting_for_machine_ms: durations.waiting_for_machine,
    starting_ms: durations.starting,
    set_up_ms: durations.set_up,
    running_ms: durations.running,
    backing_off_ms: durations.backing_off,
    storing_ms: durations.storing,
  }
}
