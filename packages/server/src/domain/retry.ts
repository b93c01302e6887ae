import type { QueuedRequest } from './request.ts'
import type { RetryBudgets, RetryCondition } from './revision.ts'

/** How an attempt ended, as far as rules care. */
export type AttemptEnd = Answered | { readonly kind: Trouble | 'aborted' }

/** The app gave a whole answer. The two wishes are its response headers, where it sent them. */
export interface Answered {
  readonly kind: 'answered'
  readonly status: number
  readonly needsRetry?: boolean
  readonly stopRunner?: boolean
  /** It wants its health checked now, by the check that the app declares. */
  readonly checkHealth?: boolean
  /** What its runner is good for from now on. */
  readonly hints?: readonly string[]
}

/** There was no whole answer. `restarted`: the platform itself went down meanwhile, and the runner with it. `oversized`: the headers were too large. */
export type Trouble =
  | 'refused'
  | 'connect_timeout'
  | 'connection_error'
  | 'disconnected'
  | 'incomplete'
  | 'oversized'
  | 'timed_out'
  | 'restarted'

/** What the app's deploy fixed about retries. */
export interface RetryRules {
  readonly skipRetryConditions: readonly RetryCondition[]
  readonly retryBudgets: RetryBudgets
}

export type Decision = { readonly kind: 'retry'; readonly delayMs: number; readonly used: RetryBudgets } | Final

export interface Final {
  readonly kind: 'final'
  /** It failed in a way that is tried again, and no further attempt is allowed: a dead letter. */
  readonly dead: boolean
}

/** What becomes of the runner: nothing, a look whether its port still answers, the health check of its app, or its end. */
export type RunnerVerdict = { readonly kind: 'keep' } | Judged

export interface Judged {
  readonly kind: 'check' | 'probe' | 'terminate'
  readonly reason: 'health_check' | 'app_requested' | 'request_timeout' | 'crash'
}

export const mostAttempts = 10

/**
 * Whether an attempt that ended like this is followed by another. The strongest word wins: the caller's ban, the
 * app's response header, the caller's budgets, the app's settings, and last the platform's: every condition, ten
 * attempts in all. `chance` is from 0 to 1.
 */
export function afterAttempt(
  end: AttemptEnd,
  { attempt, retry, used }: Pick<QueuedRequest, 'attempt' | 'retry' | 'used'>,
  rules: RetryRules,
  chance: number,
): Decision {
  const final: Final = { kind: 'final', dead: isDead(end, attempt) }
  if (attempt >= mostAttempts || retry.forbidden) return final
  const again = (spent: RetryBudgets): Decision => ({ kind: 'retry', delayMs: backOff(attempt, chance), used: spent })

  const wish = wishOf(end)
  if (wish !== undefined) return wish ? again(used) : final

  const condition = conditionOf(end)
  if (condition === undefined) return final
  const spent = used[condition] ?? 0
  return spent < budgetFor(condition, retry.budgets, rules) ? again({ ...used, [condition]: spent + 1 }) : final
}

/**
 * Whether a request whose last attempt ended like this has failed for want of attempts. What an app answered is its own
 * word, unless it was tried again for it before.
 */
function isDead(end: AttemptEnd, attempt: number): boolean {
  if (end.kind !== 'answered') return conditionOf(end) !== undefined
  return attempt > 1 && (wishOf(end) ?? conditionOf(end) !== undefined)
}

/** The app's answer decides; a runner that gave no whole answer has failed and goes. */
export function runnerVerdict(end: AttemptEnd): RunnerVerdict {
  switch (end.kind) {
    case 'answered':
      return verdictOnAnswer(end)
    case 'aborted':
    case 'oversized': // it works, and would answer the same again
      return keep
    case 'connect_timeout': // a runner that is merely busy looks like this too
      return check
    case 'timed_out':
      return { kind: 'terminate', reason: 'request_timeout' }
    default:
      return { kind: 'terminate', reason: 'crash' }
  }
}

const keep: RunnerVerdict = { kind: 'keep' }
const probe: RunnerVerdict = { kind: 'probe', reason: 'health_check' }
const check: RunnerVerdict = { kind: 'check', reason: 'health_check' }

function verdictOnAnswer({ status, stopRunner, checkHealth }: Answered): RunnerVerdict {
  if (stopRunner ?? status === 503) return { kind: 'terminate', reason: 'app_requested' }
  if (checkHealth === true) return probe
  return stopRunner === undefined && (status === 500 || status === 502 || status === 504) ? check : keep
}

/** The app may ask for a retry, or against one, on server errors and 429 only. */
function wishOf(end: AttemptEnd): boolean | undefined {
  if (end.kind !== 'answered') return undefined
  return end.status >= 500 || end.status === 429 ? end.needsRetry : undefined
}

function conditionOf(end: AttemptEnd): RetryCondition | undefined {
  switch (end.kind) {
    case 'answered':
      return end.status === 503 || end.status === 504 ? 'server_error' : undefined
    case 'aborted':
    case 'oversized':
      return undefined
    case 'timed_out':
      return 'timeout'
    case 'incomplete':
      return 'server_error'
    default:
      return 'connection_error'
  }
}

function budgetFor(condition: RetryCondition, callers: RetryBudgets, rules: RetryRules): number {
  const asked = callers[condition]
  if (asked !== undefined) return asked
  return rules.skipRetryConditions.includes(condition) ? 0 : (rules.retryBudgets[condition] ?? mostAttempts)
}

/** 1 s, 2 s, 4 s … 60 s, each 20 % more or less by chance, so that many failures do not come back as one crowd. */
function backOff(attempt: number, chance: number): number {
  const base = Math.min(1_000 * 2 ** (attempt - 1), 60_000)
  return Math.round(base * (0.8 + 0.4 * chance))
}
