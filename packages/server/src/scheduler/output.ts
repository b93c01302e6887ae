import type { RunnerOutput } from '../backends/backend.ts'
import type { Identity } from '../domain/runner.ts'
import type { LogLevel, LogLine } from '../logs/log-store.ts'
import type { Moment } from '../kit/clock.ts'

/** A runner's line as the logs keep it. */
export function logLineOf({ stream, text, requestId }: RunnerOutput, runner: Identity, at: Moment): LogLine {
  return {
    at,
    source: 'user',
    level: levelOf(text) ?? stream,
    message: text,
    accountId: runner.accountId,
    appId: runner.appId,
    revisionId: runner.revisionId,
    runnerId: runner.id,
    ...(requestId === undefined ? {} : { requestId }),
  }
}

/** What the platform has to say about a runner. */
export function bridgeLine(message: string, runner: Identity, at: Moment): LogLine {
  return {
    ...logLineOf({ runnerId: runner.id, stream: 'stderr', text: message }, runner, at),
    source: 'bridge',
    level: 'error',
  }
}

const levels: ReadonlyMap<string, LogLevel> = new Map([
  ['error', 'error'],
  ['warning', 'warning'],
  ['warn', 'warning'],
  ['info', 'info'],
  ['debug', 'debug'],
  ['trace', 'trace'],
])

const spoken = /^\s*(error|warning|warn|info|debug|trace)\b|\[(error|warning|warn|info|debug|trace)\]/i
/** No longer line is taken apart: what says its level says it in a short one. */
const longestParsed = 16_384

/** The level that a line itself names: a field of a JSON line, or a word such as `[error]`. */
function levelOf(text: string): LogLevel | undefined {
  // How apps of the SDK tell of an exception that nobody caught: one long line on stdout.
  if (text.startsWith('{"traceback":')) return 'error'
  const fromJson = text.trimStart().startsWith('{') && text.length <= longestParsed ? levelInJson(text) : undefined
  if (fromJson) return fromJson
  const found = spoken.exec(text.slice(0, longestParsed))
  return levels.get((found?.[1] ?? found?.[2] ?? '').toLowerCase())
}

function levelInJson(text: string): LogLevel | undefined {
  try {
    const record: Readonly<Record<string, unknown>> = JSON.parse(text)
    return ['level', 'levelname', 'severity']
      .map((field) => record[field])
      .filter((value) => typeof value === 'string')
      .map((value) => levels.get(value.trim().toLowerCase()))
      .find((level) => level !== undefined)
  } catch {
    return undefined // it only looked like JSON
  }
}
