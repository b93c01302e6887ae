import type { LogFilter, LogLine } from './log-store.ts'

const ids = ['accountId', 'appId', 'revisionId', 'runnerId', 'requestId', 'source'] as const

/** Whether a line is meant, for those that see lines one by one. */
export function matcherOf(filter: LogFilter): (line: LogLine) => boolean {
  const { search, levels, traceback } = filter
  const part = search?.toLowerCase()
  const wanted = ids.filter((name) => filter[name] !== undefined)
  return (line) =>
    wanted.every((name) => line[name] === filter[name]) &&
    (levels === undefined || levels.includes(line.level)) &&
    (traceback === undefined || isTraceback(line.message)) &&
    (part === undefined || holds(line.message, part))
}

/** Whether a part, given in lower case, stands in a message in any case. */
export function holds(message: string, part: string): boolean {
  return message.toLowerCase().includes(part)
}

/** As apps of the SDK print it, in one line of JSON, or as Python does, where this is the first line. */
export function isTraceback(message: string): boolean {
  return /^\s*(\{"traceback":|Traceback \(most recent call last\):)/.test(message)
}
