import type { SQLOutputValue } from 'node:sqlite'
import type { LogLevel, LogLine, LogSource } from './log-store.ts'

/** This file's own rows: what it wrote is what the types say. */
export function lineOf(row: Record<string, SQLOutputValue>): LogLine {
  const optional = (name: string, column: string) => (row[column] === null ? {} : { [name]: String(row[column]) })
  return {
    at: Number(row['at']),
    source: String(row['source']) as LogSource,
    level: String(row['level']) as LogLevel,
    message: String(row['message']),
    accountId: String(row['account_id']),
    ...optional('appId', 'app_id'),
    ...optional('revisionId', 'revision_id'),
    ...optional('runnerId', 'runner_id'),
    ...optional('requestId', 'request_id'),
  }
}
