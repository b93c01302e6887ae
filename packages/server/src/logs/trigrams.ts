import type { LogLevel, LogLine, LogQuery, LogSource } from './log-store.ts'

/**
 * What the search index holds of a block of lines, and what it is asked for a query. It is built of three characters at a
 * time (FTS5, tokenizer `trigram`), knows blocks and no lines, and may name a block without a match, never the reverse.
 */

/** Parts of a text beyond so many say little more about where it stands. */
const mostParts = 32
/** Ids differ in their end: those made in one moment begin alike. */
const tellingEnd = 12

// Private characters, so that no text of an app is taken for these.
const levelMark = '\uE000'
const sourceMark = '\uE001'
const levelWord = (level: LogLevel) => levelMark + level.slice(-2) // the beginnings of two are the same
const sourceWord = (source: LogSource) => sourceMark + source.slice(0, 2)

/** The text by which a block of lines is found. */
export function indexedText(lines: readonly LogLine[]): string {
  const words = lines.flatMap((line) => [
    line.accountId,
    line.appId ?? '',
    line.revisionId ?? '',
    line.runnerId ?? '',
    line.requestId ?? '',
    levelWord(line.level),
    sourceWord(line.source),
  ])
  const messages = lines.map(({ message }) => message.toLowerCase())
  return [...messages, ...new Set(words)].join('\n').replaceAll('\0', ' ')
}

/** The FTS5 expression for the blocks that may hold what a query asks for; nothing when it excludes none. */
export function matchOf(query: LogQuery): string | undefined {
  const ids = [query.accountId, query.appId, query.revisionId, query.runnerId, query.requestId]
  const parts = [
    ...trigramsOf(query.search?.toLowerCase() ?? ''),
    ...trigramsOf(query.traceback ? 'traceback' : ''),
    ...ids.flatMap((id) => trigramsOf(id?.slice(-tellingEnd) ?? '')),
    ...(query.source === undefined ? [] : [sourceWord(query.source)]),
  ].map(quoted)
  const levels = query.levels?.map((level) => quoted(levelWord(level))) ?? []
  const all = levels.length > 0 ? [...parts, `(${levels.join(' OR ')})`] : parts
  return all.length > 0 ? all.join(' AND ') : undefined
}

/** Every three characters in a row, as the tokenizer counts characters. */
function trigramsOf(text: string): string[] {
  const characters = Array.from(text.toWellFormed())
  const found = new Set(characters.slice(2).map((_, at) => characters.slice(at, at + 3).join('')))
  return [...found].filter((part) => !part.includes('\0')).slice(0, mostParts)
}

const quoted = (part: string) => `"${part.replaceAll('"', '""')}"`
