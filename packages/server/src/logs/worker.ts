/**
 * The log thread: owns the log files, writes batches of lines and answers queries, in the order they were sent. A
 * query that looks at many days lets batches through between them. It runs once per server.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { DayFiles } from './day-files.ts'
import { type Day, dayOf, isExpired, startOf } from './days.ts'
import type { LogLine, LogQuery } from './log-store.ts'
import type { Drop, Found, FromThread, PackedLine, ThreadData, ToThread } from './messages.ts'

const { folder, retentionDays, linesPerApp }: ThreadData = workerData
const say = (message: FromThread) => parentPort?.postMessage(message)
const warn = (fields: object, message: string) => say({ kind: 'warning', fields, message })

const files = new DayFiles({
  folder,
  retentionDays,
  // Of days that are over nobody needs to know how much more they may hold.
  reopened: (day, file) => day >= today && say({ kind: 'counted', day, counts: file.counts() }),
  warn,
})
let today: Day = 0
const running = new Set<Promise<void>>()

function append(lines: readonly PackedLine[], drops: readonly Drop[]): void {
  files.deleteExpired(today)
  const linesByDay = Map.groupBy(lines, ([at]) => dayOf(at))
  const dropsByDay = Map.groupBy(drops, ({ at }) => dayOf(at))
  for (const day of new Set([...linesByDay.keys(), ...dropsByDay.keys()])) {
    if (!isExpired(day, today, retentionDays)) appendTo(day, linesByDay.get(day) ?? [], dropsByDay.get(day) ?? [])
  }
}

function appendTo(day: Day, lines: readonly PackedLine[], drops: readonly Drop[]): void {
  const write = () => files.use(day, (file) => (file.append(lines, drops, wordsFor), true))
  if (write() === undefined) write() // the damaged file is out of the way
}

function wordsFor({ reason }: Drop): string {
  if (reason === 'daily') return ` lines were left out: the limit of ${linesPerApp} lines per day is reached`
  return ' lines were left out: they came faster than the disk takes them'
}

/** One query does not keep batches of lines waiting for longer than about this. */
const budgetMs = 60

async function find(query: LogQuery): Promise<Found> {
  const until = performance.now() + budgetMs
  const lines: LogLine[] = []
  for (const day of files.days()) {
    if (isExpired(day, today, retentionDays) || isOutside(day, query)) continue
    const found = files.use(day, (file) => file.query(query, query.limit - lines.length, until))
    lines.push(...(found?.lines ?? []))
    if (found?.stoppedAt !== undefined) return { lines, stoppedAt: found.stoppedAt }
    if (lines.length >= query.limit) break
    if (performance.now() > until) return { lines, stoppedAt: startOf(day) }
    await nextTurn()
  }
  return { lines }
}

function isOutside(day: Day, { since, until }: LogQuery): boolean {
  return (since !== undefined && day < dayOf(since)) || (until !== undefined && day > dayOf(until))
}

async function answer(id: number, query: LogQuery): Promise<void> {
  try {
    say({ kind: 'found', id, ...(await find(query)) })
  } catch (error) {
    say({ kind: 'failed', id, message: error instanceof Error ? error.message : String(error) })
  }
}

function tryAppend(lines: readonly PackedLine[], drops: readonly Drop[]): void {
  try {
    append(lines, drops)
  } catch (error) {
    warn({ err: error instanceof Error ? error.message : String(error), lines: lines.length }, 'log lines were lost')
  }
  say({ kind: 'appended' })
}

async function close(): Promise<void> {
  await Promise.all(running)
  files.close()
  parentPort?.close()
}

parentPort?.on('message', (message: ToThread) => {
  if (message.kind !== 'close') today = message.today
  if (message.kind === 'append') return tryAppend(message.lines, message.drops)
  if (message.kind === 'close') return void close()
  const answering = answer(message.id, message.query)
  running.add(answering)
  return void answering.finally(() => running.delete(answering))
})
