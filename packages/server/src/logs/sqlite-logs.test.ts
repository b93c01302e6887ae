import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { silent } from '../kit/logger.ts'
import type { LogLine, LogStore } from './log-store.ts'
import { type LogStoreOptions, openLogStore } from './sqlite-logs.ts'

const dayMs = 86_400_000
const noon = Date.UTC(2026, 10, 24, 12)
const clock = { time: noon, now: () => clock.time }
const opened: LogStore[] = []
let folder = ''

beforeEach(async () => {
  clock.time = noon
  folder = await mkdtemp(join(tmpdir(), 'carrick-logs-'))
})
afterEach(async () => {
  await Promise.all(opened.splice(0).map((logs) => logs.close()))
  await rm(folder, { recursive: true })
})

async function open(options: Partial<LogStoreOptions> = {}): Promise<LogStore> {
  const logs = await openLogStore({ folder, clock, log: silent, ...options })
  opened.push(logs)
  return logs
}

const aLine = (line: Partial<LogLine> = {}): LogLine => ({
  at: clock.now(),
  source: 'user',
  level: 'stdout',
  message: 'hello',
  accountId: 'account',
  appId: 'app',
  revisionId: 'revision',
  runnerId: 'runner',
  requestId: 'request',
  ...line,
})

const messages = (lines: readonly LogLine[]) => lines.map(({ message }) => message)

/** So that the next query cannot be answered from memory. */
const fromDisk = { since: 0 }

describe('a query', () => {
  test('sees every line that was appended before it, newest first', async () => {
    const logs = await open()
    for (const message of ['one', 'two', 'three']) logs.append(aLine({ message }))
    expect(messages(await logs.query({ limit: 10 }))).toEqual(['three', 'two', 'one'])
    expect(messages(await logs.query({ limit: 2 }))).toEqual(['three', 'two'])
  })

  test('gives a line back as it came, also without app, revision, runner and request', async () => {
    const logs = await open()
    const bare: LogLine = { at: noon + 1, source: 'builder', level: 'info', message: 'building', accountId: 'account' }
    logs.append(aLine({ at: noon }))
    logs.append(bare)
    expect(await logs.query({ limit: 10 })).toEqual([bare, aLine({ at: noon })])
  })

  test.each<[string, Partial<LogLine>, object]>([
    ['an account', { accountId: 'other' }, { accountId: 'other' }],
    ['an app', { appId: 'other' }, { appId: 'other' }],
    ['a runner', { runnerId: 'other' }, { runnerId: 'other' }],
    ['a request', { requestId: 'other' }, { requestId: 'other' }],
    ['a part of the message, in any case', { message: 'Größe der ÄPFEL' }, { search: 'äpfel' }],
    ['a moment that it is not before', { at: noon + 5 }, { since: noon + 5 }],
    ['a moment that it is before', { at: noon - 5 }, { until: noon }],
  ])('keeps to %s', async (_, differs, query) => {
    const logs = await open()
    logs.append(aLine())
    logs.append(aLine(differs))
    logs.append(aLine())
    expect(await logs.query({ limit: 10, ...query })).toEqual([aLine(differs)])
  })

  test('reads a search as text, never as a pattern', async () => {
    const logs = await open()
    for (const message of ['100 %', '100 x']) logs.append(aLine({ message }))
    expect(messages(await logs.query({ limit: 10, search: '0 %' }))).toEqual(['100 %'])
  })

  test('goes back over several days, each in a file of its own', async () => {
    const logs = await open()
    for (const day of [2, 1, 0]) logs.append(aLine({ at: noon - day * dayMs, message: `${day} days ago` }))
    expect(messages(await logs.query({ limit: 10 }))).toEqual(['0 days ago', '1 days ago', '2 days ago'])
    expect(messages(await logs.query({ limit: 10, until: noon }))).toEqual(['1 days ago', '2 days ago'])
    const files = (await readdir(folder)).filter((name) => name.endsWith('.sqlite'))
    expect(files.toSorted()).toEqual(['2026-11-22.sqlite', '2026-11-23.sqlite', '2026-11-24.sqlite'])
  })

  test('finds the lines of an earlier server', async () => {
    const first = await open()
    first.append(aLine({ message: 'before' }))
    await first.close()
    expect(messages(await (await open()).query({ limit: 10 }))).toEqual(['before'])
  })

  test('after the end is refused', async () => {
    const logs = await open()
    await logs.close()
    await expect(logs.query({ limit: 1 })).rejects.toMatchObject({ code: 'draining' })
  })
})

describe('a search', () => {
  /** Enough for several blocks, and an end that is in none. */
  async function filled(count = 3_000, more: (index: number) => Partial<LogLine> = () => ({})): Promise<LogStore> {
    const logs = await open()
    for (let index = 0; index < count; index += 1) {
      logs.append(aLine({ at: noon + index, message: `line ${index}`, ...more(index) }))
    }
    return logs
  }

  test.each([
    ['in the oldest block', 'line 17', ['line 17']],
    ['at the end', 'LINE 2999', ['line 2999']],
    ['too short for the index', '1', ['line 1000']],
    ['that is longer than any line', 'line 17'.repeat(9), []],
    ['that stands nowhere', 'needle', []],
  ])('finds what a look at every line finds: a part %s', async (_, search, expected) => {
    const logs = await filled()
    const found = messages(await logs.query({ limit: 10_000, search }))
    const all = Array.from({ length: 3_000 }, (__, index) => `line ${2_999 - index}`)
    const wanted = all.filter((message) => message.includes(search.toLowerCase()))
    expect(found).toEqual(wanted)
    expect(found).toEqual(expect.arrayContaining(expected))
  })

  test('reads letters outside ASCII and characters of two halves in any case', async () => {
    const logs = await filled(1_500, (index) =>
      index === 3 ? { message: 'GRÖSSE der ÄPFEL 🍎🍏🍐 "quoted" \0 end' } : {},
    )
    for (const search of ['größe'.replace('ß', 'ss'), 'äpfel 🍎', '🍎🍏🍐', '"QUOTED"', '\0 END', 'el 🍎🍏🍐 "q']) {
      expect(
        (await logs.query({ limit: 10, search })).map(({ at }) => at),
        search,
      ).toEqual([noon + 3])
    }
  })

  test.each([
    ['a level', { level: 'error' as const }, { levels: ['error', 'warning'] as const }],
    ['a source', { source: 'bridge' as const }, { source: 'bridge' as const }],
    ['a revision', { revisionId: 'revision-of-its-own' }, { revisionId: 'revision-of-its-own' }],
    ['an account', { accountId: 'account-of-its-own' }, { accountId: 'account-of-its-own' }],
    ['tracebacks', { message: '{"traceback": "Traceback"}' }, { traceback: true as const }],
  ])('keeps to %s', async (_, differs, query) => {
    const logs = await filled(1_500, (index) => (index % 700 === 3 ? differs : {}))
    expect((await logs.query({ limit: 10, ...query })).map(({ at }) => at - noon)).toEqual([1_403, 703, 3])
  })

  test('gives lines in the order of their moments, however they were written', async () => {
    const logs = await filled(2_000, (index) => ({ at: noon + ((index * 7_919) % 2_000) }))
    const moments = (await logs.query({ limit: 2_000, search: 'line' })).map(({ at }) => at - noon)
    expect(moments).toEqual(Array.from({ length: 2_000 }, (_, index) => 1_999 - index))
  })

  test('in pages gives every line once', async () => {
    const logs = await filled(2_500, (index) => ({ at: noon + Math.floor(index / 3) }))
    const pages: LogLine[] = []
    let until: number | undefined
    do {
      const page = await logs.page({ limit: 100, search: '7', ...(until === undefined ? {} : { until }) })
      pages.push(...page.lines)
      until = page.nextUntil
    } while (until !== undefined)
    expect(pages).toEqual(await logs.query({ limit: 10_000, search: '7' }))
    expect(pages.length).toBeGreaterThan(500)
  })

  test('reads the files of former versions, which have no index', async () => {
    const file = new DatabaseSync(join(folder, '2026-11-24.sqlite'))
    file.exec(`
      create table line (id integer primary key, at integer not null, source text not null, level text not null,
        message text not null, account_id text not null, app_id text, revision_id text, runner_id text, request_id text,
        dropped_by text unique, dropped integer) strict;
      create index line_at on line (at);
      create index line_app on line (app_id, at) where app_id is not null;
      create index line_runner on line (runner_id, at) where runner_id is not null;
      create index line_request on line (request_id, at) where request_id is not null;
      insert into line (at, source, level, message, account_id)
      select ${noon} + value, 'user', 'stdout', 'old line ' || value, 'account' 
        from (with recursive n (value) as (select 0 union all select value + 1 from n where value < 1999) select value from n);
      pragma user_version = 1`)
    file.close()
    const logs = await open()
    expect(messages(await logs.query({ limit: 10, search: 'LINE 1234' }))).toEqual(['old line 1234'])
    logs.append(aLine({ message: 'a new line 1234' }))
    expect(messages(await logs.query({ limit: 10, search: 'line 1234' }))).toEqual(['old line 1234', 'a new line 1234'])
  })
})

describe('a request that is asked about again and again', () => {
  const query = { requestId: 'request', limit: 1_000 }

  test('gets each new line', async () => {
    const logs = await open()
    for (const message of ['one', 'two', 'three']) {
      logs.append(aLine({ message }))
      await logs.query(query)
    }
    expect(messages(await logs.query(query))).toEqual(['three', 'two', 'one'])
  })

  test('is answered from memory, without the disk', async () => {
    const logs = await open()
    logs.append(aLine({ message: 'one' }))
    await logs.query(query)
    logs.append(aLine({ message: 'two' }))
    const answer = logs.query(query)
    const other = logs.query({ ...query, ...fromDisk })
    expect(await Promise.race([answer.then(() => 'memory'), other.then(() => 'disk')])).toBe('memory')
    expect(messages(await answer)).toEqual(['two', 'one'])
  })

  test('gets the same from memory as from the disk, also when it has more lines than memory keeps', async () => {
    const logs = await open()
    await logs.query(query)
    for (let number = 0; number < 2_500; number += 1) logs.append(aLine({ message: `line ${number}` }))
    const [memory, disk] = [await logs.query(query), await logs.query({ ...query, ...fromDisk })]
    expect(memory).toHaveLength(1_000)
    expect(memory).toEqual(disk)
    expect(await logs.query({ ...query, limit: 2_000 })).toHaveLength(2_000)
    expect(await logs.query({ ...query, limit: 2_000 })).toHaveLength(2_000)
  })

  test('loses no line that comes while the older ones are fetched', async () => {
    const logs = await open()
    logs.append(aLine({ message: 'before' }))
    const fetching = logs.query(query)
    logs.append(aLine({ message: 'meanwhile' }))
    await fetching
    expect(messages(await logs.query(query))).toEqual(['meanwhile', 'before'])
  })

  test('shows nothing to another account', async () => {
    const logs = await open()
    logs.append(aLine())
    expect(await logs.query({ ...query, accountId: 'other' })).toEqual([])
    expect(await logs.query({ ...query, accountId: 'other' })).toEqual([])
    expect(await logs.query({ ...query, accountId: 'account' })).toHaveLength(1)
  })
})

describe('a runner', () => {
  test('has its newest lines at hand, oldest first', async () => {
    const logs = await open()
    for (const message of ['one', 'two', 'three']) logs.append(aLine({ message }))
    logs.append(aLine({ runnerId: 'other', message: 'four' }))
    expect(messages(logs.tail('runner', 2))).toEqual(['two', 'three'])
    expect(logs.tail('unknown', 2)).toEqual([])
  })
})

describe('bounds', () => {
  test('keep an app to its lines per day, and say in one line how many were left out', async () => {
    const logs = await open({ linesPerApp: 3 })
    for (let number = 1; number <= 5; number += 1) logs.append(aLine({ message: `line ${number}` }))
    await logs.query({ limit: 1 })
    for (let number = 6; number <= 10; number += 1) logs.append(aLine({ message: `line ${number}`, at: noon + 1 }))
    logs.append(aLine({ appId: 'other', message: 'another app', at: noon + 2 }))
    expect(messages(await logs.query({ limit: 10 }))).toEqual([
      'another app',
      '7 lines were left out: the limit of 3 lines per day is reached',
      'line 3',
      'line 2',
      'line 1',
    ])
  })

  test('begin anew with the day', async () => {
    const logs = await open({ linesPerApp: 1 })
    logs.append(aLine({ message: 'today' }))
    clock.time += dayMs
    logs.append(aLine({ message: 'tomorrow' }))
    expect(messages(await logs.query({ limit: 10 }))).toEqual(['tomorrow', 'today'])
  })

  test('count what an earlier server wrote on the same day', async () => {
    const first = await open({ linesPerApp: 2 })
    first.append(aLine({ message: 'one' }))
    first.append(aLine({ message: 'two' }))
    await first.close()
    const second = await open({ linesPerApp: 2 })
    await second.query({ limit: 1 })
    second.append(aLine({ message: 'three' }))
    expect(messages(await second.query({ limit: 10 }))).not.toContain('three')
  })

  test('cut a line that is too long, between two characters, and mark it', async () => {
    const logs = await open({ bytesPerLine: 10 })
    logs.append(aLine({ message: `${'x'.repeat(9)}äöü` }))
    expect(messages(await logs.query({ limit: 1 }))).toEqual([`${'x'.repeat(9)}… (cut here: the line has 15 bytes)`])
  })

  test('keep what waits for the disk small, and leave the others their room', async () => {
    const logs = await open({ backlog: { weight: 100_000, weightPerOwner: 50_000 } })
    for (let number = 0; number < 10_000; number += 1) logs.append(aLine({ message: 'flood' }))
    logs.append(aLine({ appId: 'calm', message: 'still heard' }))
    const found = await logs.query({ limit: 10_000 })
    const kept = found.filter(({ message }) => message === 'flood').length
    expect(kept).toBeGreaterThan(0)
    expect(messages(found)).toContain('still heard')
    expect(messages(found)).toContain(`${10_000 - kept} lines were left out: they came faster than the disk takes them`)
    logs.append(aLine({ message: 'room again' }))
    expect(messages(await logs.query({ limit: 10_000 }))).toContain('room again')
  })
})

describe('files', () => {
  test('of days that are no longer kept are deleted', async () => {
    const logs = await open({ retentionDays: 2 })
    logs.append(aLine({ message: 'first day' }))
    await logs.query({ limit: 1 })
    clock.time += dayMs
    logs.append(aLine({ message: 'second day' }))
    expect(await logs.query({ limit: 10 })).toHaveLength(2)
    clock.time += dayMs
    logs.append(aLine({ message: 'third day' }))
    expect(messages(await logs.query({ limit: 10 }))).toEqual(['third day', 'second day'])
    expect((await readdir(folder)).some((name) => name.startsWith('2026-11-24'))).toBe(false)
  })

  test('that are damaged are set aside, and lines go on', async () => {
    await writeFile(join(folder, '2026-11-24.sqlite'), 'this is no database '.repeat(1_000))
    const warnings: string[] = []
    const logs = await open({ log: { ...silent, warn: (_, message) => warnings.push(message) } })
    logs.append(aLine({ message: 'on we go' }))
    expect(messages(await logs.query({ limit: 10 }))).toEqual(['on we go'])
    expect(warnings).toEqual(['a log file is damaged and was set aside; a new one takes its place'])
    expect((await readdir(folder)).some((name) => name.includes('.damaged-'))).toBe(true)
  })

  test('that are damaged hide only their own day', async () => {
    await writeFile(join(folder, '2026-11-23.sqlite'), 'this is no database '.repeat(1_000))
    const logs = await open()
    logs.append(aLine({ message: 'today' }))
    logs.append(aLine({ message: 'long ago', at: noon - 2 * dayMs }))
    expect(messages(await logs.query({ limit: 10 }))).toEqual(['today', 'long ago'])
  })

  test('that cannot be written cost lines, never the server', async () => {
    const warnings: string[] = []
    const logs = await open({ log: { ...silent, warn: (_, message) => warnings.push(message) } })
    await rm(folder, { recursive: true })
    await writeFile(folder, 'in the way')
    logs.append(aLine())
    await expect(logs.query({ limit: 10 })).rejects.toThrow('the log query failed')
    await rm(folder)
    logs.append(aLine({ message: 'on we go' }))
    expect(messages(await logs.query({ limit: 10 }))).toEqual(['on we go'])
    expect(warnings).toEqual(['log lines were lost'])
  })
})
