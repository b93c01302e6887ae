// Question: does a page of history take longer when there is more of it? Expected: no, search included: an index of
// blocks leads to the lines, and where it cannot, the page ends after a while and says how far it came.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../packages/server/src/kit/clock.ts'
import { silent } from '../packages/server/src/kit/logger.ts'
import { DayFile } from '../packages/server/src/logs/day-file.ts'
import { dayOf, fileNameOf, startOf } from '../packages/server/src/logs/days.ts'
import type { LogQuery } from '../packages/server/src/logs/log-store.ts'
import { pack } from '../packages/server/src/logs/messages.ts'
import { openLogStore } from '../packages/server/src/logs/sqlite-logs.ts'
import { median, type Report } from './report.ts'

const lines = Number(process.env['BENCH_LOG_LINES'] ?? 10_000_000)
const batch = 500
const runners = 20
const words = Array.from({ length: 5_000 }, (_, index) => ((index * 2_654_435_761) >>> 0).toString(36))

export async function logHistory(report: Report): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'carrick-bench-logs-'))
  try {
    const clock = systemClock()
    const day = dayOf(clock.now()) - 1
    const { perSecond, worstMs } = fill(new DayFile(join(folder, fileNameOf(day))), startOf(day))
    report.add('log lines per second, indexed', perSecond)
    report.add(`longest of ${lines / batch} batches`, worstMs, undefined, ' ms')
    const logs = await openLogStore({ folder, clock, log: silent })
    await logs.page({ limit: 1 })
    const middle = startOf(day) + 43_200_000
    const asked: Record<string, Partial<LogQuery>> = {
      'the newest': {},
      'the newest of a runner': { runnerId: runnerOf(3) },
      'from the middle': { until: middle },
      'with a common word': { search: 'WORKER 7' },
      'of a runner with a common word': { runnerId: runnerOf(3), search: 'worker 7' },
      'with a word that stands once, near the oldest': { search: 'the Needle' },
      'with a word that stands nowhere': { search: 'no such words' },
      'with a word made of common parts that stands nowhere': { search: `${words[7]} ${words[8]} ${words[9]}` },
      'of errors, one in a thousand': { levels: ['error'] },
    }
    for (const [what, query] of Object.entries(asked)) {
      const times: number[] = []
      for (let round = 0; round < 5; round += 1) {
        const begun = performance.now()
        await logs.page({ accountId: 'account', limit: 1_000, ...query })
        times.push(performance.now() - begun)
      }
      report.add(`page of 1,000 of ${lines} lines, ${what}`, median(times), { atMost: 100 }, ' ms')
    }
    const begun = performance.now()
    const found = await logs.query({ accountId: 'account', limit: 1, search: 'the needle' })
    if (found.length !== 1) throw new Error('the needle was not found')
    report.add('the needle found, however many pages', performance.now() - begun, undefined, ' ms')
    await logs.close()
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const runnerOf = (index: number) => `01900000-0000-7000-8000-${String(index % runners).padStart(12, '0')}`

function fill(file: DayFile, start: number): { perSecond: number; worstMs: number } {
  let worstMs = 0
  let spentMs = 0
  for (let first = 0; first < lines; first += batch) {
    const packed = Array.from({ length: batch }, (_, index) => line(first + index, start)).map(pack)
    const begun = performance.now()
    file.append(packed, [], () => '')
    const took = performance.now() - begun
    spentMs += took
    worstMs = Math.max(worstMs, took)
  }
  file.close()
  return { perSecond: (lines / spentMs) * 1_000, worstMs }
}

let seed = 1
const random = (below: number) => (seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff) % below

function line(index: number, start: number) {
  const text = Array.from({ length: 10 }, () => words[random(words.length)]).join(' ')
  const message = index === Math.floor(lines / 100) ? 'here is the needle' : `INFO worker ${random(100)}: ${text}`
  return {
    at: start + Math.floor((index / lines) * 86_400_000),
    source: 'user',
    level: index % 1_000 === 0 ? 'error' : 'stdout',
    message,
    accountId: 'account',
    appId: `app-${index % 10}`,
    revisionId: 'revision',
    runnerId: runnerOf(index),
  } as const
}
