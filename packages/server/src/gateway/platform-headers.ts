import type { IncomingHttpHeaders } from 'node:http'
import { CarrickError } from '../domain/errors.ts'
import type { HeaderPairs, Priority } from '../domain/request.ts'
import type { RetryBudgets, RetryCondition } from '../domain/revision.ts'

/** Header pairs in the order they came, names in lower case. */
export function headerPairs(rawHeaders: readonly string[]): HeaderPairs {
  const pairs: (readonly [string, string])[] = []
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) pairs.push([rawHeaders[at]!.toLowerCase(), rawHeaders[at + 1]!])
  return pairs
}

/** Low is the only other word there is: unknown ones are as good as none. */
export function priorityOf(headers: IncomingHttpHeaders): Priority {
  return word(headers, 'x-fal-queue-priority') === 'low' ? 'low' : 'normal'
}

/** Where the request would rather run, by just this word. */
export function hintOf(headers: IncomingHttpHeaders): string | undefined {
  const hint = headers['x-fal-runner-hint']
  return typeof hint === 'string' && hint !== '' ? hint : undefined
}

export function forbidsRetries(headers: IncomingHttpHeaders): boolean {
  return ['1', 'true', 'yes'].includes(word(headers, 'x-fal-no-retry'))
}

/** Whether the payloads are not to be kept. */
export function forbidsKeeping(headers: IncomingHttpHeaders): boolean {
  return ['0', 'false', 'no'].includes(word(headers, 'x-fal-store-io'))
}

/** Longer deadlines than this are none: a hundred years. */
const longestSeconds = 100 * 365 * 86_400
const shortestSeconds = 0.1

/** How long the request may wait to start. Throws `bad_request` for what is not a number of seconds. */
export function startTimeoutMs(headers: IncomingHttpHeaders): number | undefined {
  const name = 'x-fal-request-start-timeout' in headers ? 'x-fal-request-start-timeout' : 'x-fal-request-timeout'
  const value = headers[name]
  if (value === undefined) return undefined
  const seconds = /^\s*\d+(\.\d+)?\s*$/.test(String(value)) ? Number(value) : Number.NaN
  if (seconds >= shortestSeconds) return Math.ceil(Math.min(seconds, longestSeconds) * 1_000)
  throw new CarrickError('bad_request', `The header ${name} must be a number of seconds, ${shortestSeconds} or more`)
}

const conditions: readonly RetryCondition[] = ['timeout', 'server_error', 'connection_error']

/** Extra attempts by condition. What cannot be understood is ignored without a word, as clients expect. */
export function retryBudgets(headers: IncomingHttpHeaders): RetryBudgets {
  const config = parsed(headers['x-fal-retry-config'])
  const budgets = conditions.map((condition) => [condition, retriesIn(field(config, condition))] as const)
  return Object.fromEntries(budgets.filter(([, retries]) => retries !== undefined))
}

function retriesIn(budget: unknown): number | undefined {
  const retries = field(budget, 'retries')
  return typeof retries === 'number' && Number.isSafeInteger(retries) ? Math.max(0, retries) : undefined
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined
}

function parsed(text: string | readonly string[] | undefined): unknown {
  try {
    return typeof text === 'string' ? JSON.parse(text) : undefined
  } catch {
    return undefined
  }
}

function word(headers: IncomingHttpHeaders, name: string): string {
  return String(headers[name] ?? '')
    .trim()
    .toLowerCase()
}
