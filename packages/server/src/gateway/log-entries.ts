import type { Moment } from '../kit/clock.ts'
import type { LogLevel, LogLine, LogStore } from '../logs/log-store.ts'
import type { VisibleRequest } from './lookup.ts'

/** A log line as the wire shows it: its level and source stand in two places, for different clients. */
export interface LogEntry {
  readonly message: string
  readonly timestamp: string
  readonly level: string
  readonly source: string
  readonly labels: { readonly level: string; readonly source: string }
}

/** Clients decode these words and no others. */
const levels: Readonly<Record<LogLevel, string>> = {
  trace: 'DEBUG',
  debug: 'DEBUG',
  info: 'INFO',
  warning: 'WARN',
  error: 'ERROR',
  stdout: 'STDOUT',
  stderr: 'STDERR',
}

const mostLines = 1_000
const source = 'USER'

/** The newest lines of a request, oldest first. Nothing where the app keeps its logs from others. */
export async function linesOf(logs: LogStore, seen: VisibleRequest): Promise<LogEntry[]> {
  return (await newestLines(logs, seen, seen.request.acceptedAt)).map(entryOf)
}

/** Gives each line of a request once. */
export function followLines(logs: LogStore): (seen: VisibleRequest) => Promise<LogEntry[]> {
  let since: Moment | undefined
  /** Lines of that moment which were given already: a later one may bear the same time. */
  let given = 0

  return async (seen) => {
    const lines = await newestLines(logs, seen, since ?? seen.request.acceptedAt)
    const fresh = lines.slice(given)
    const last = fresh.at(-1)?.at
    if (last !== undefined) {
      since = last
      given = lines.filter(({ at }) => at === last).length
    }
    return fresh.map(entryOf)
  }
}

async function newestLines(logs: LogStore, seen: VisibleRequest, since: Moment): Promise<LogLine[]> {
  const { request, known, owner } = seen
  const isPrivate = known.active?.spec.privateLogs ?? true
  if (isPrivate && !owner) return []
  const lines = await logs.query({ appId: request.appId, requestId: request.id, since, limit: mostLines })
  return lines.toReversed()
}

function entryOf({ message, at, level }: LogLine): LogEntry {
  const word = levels[level]
  return { message, timestamp: new Date(at).toISOString(), level: word, source, labels: { level: word, source } }
}
