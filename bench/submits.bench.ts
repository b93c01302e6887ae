import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { knownMigrations } from '../packages/server/src/store/migrations.ts'
import { acceptRequest } from '../packages/server/src/store/requests.ts'
import { openSqliteStore } from '../packages/server/src/store/sqlite/index.ts'
import { silent } from '../packages/server/src/kit/logger.ts'
import { addTestAccount, addTestApp } from '../packages/server/src/testing/store.ts'
import { median, type Report } from './report.ts'
import { ran, startServer, type Server } from './server.ts'
import { syncsDuring } from './syncs.ts'

const grouped = 64
const requests = 20_000
const rounds = 3

/**
 * Question: what does durability cost a submit? Expected: as much as the statements themselves and a share of one sync, because
 * callers who wait together share a commit. The callers are a process of their own, over plain HTTP, one connection each.
 */
export async function submits(report: Report): Promise<void> {
  const sync = fdatasyncSeconds()
  report.add('fdatasync of this disk, p50', sync * 1000, undefined, ' ms')
  const bare = median(await repeated(bareLoop))
  report.add('B: the same statements/s in a bare loop, groups of 64', bare)
  for (const callers of [64, 256]) await durability(report, { callers, sync, bare })
  const syncs = await syncsPerThousand()
  if (syncs === undefined) console.error('strace is not here or may not trace: syncs are not counted, only commits')
  else report.add('syncs per 1,000 durable submits, 64 callers, checkpoints included', syncs, { atMost: 40 })
  const alone = median(await repeated(async () => (await run('durable', 1, 2_000)).p50))
  report.add('durable submit p50, 1 caller, beyond one fdatasync', alone - sync * 1000, { atMost: 1 }, ' ms')
}

/** By turns, so that both meet the same machine. */
async function durability(
  report: Report,
  { callers, sync, bare }: { readonly callers: number; readonly sync: number; readonly bare: number },
): Promise<void> {
  const [nothing, durable, commits]: [number[], number[], number[]] = [[], [], []]
  for (let round = 0; round < rounds; round += 1) {
    nothing.push((await run('nothing', callers)).perSecond)
    const each = await run('durable', callers)
    durable.push(each.perSecond)
    commits.push(each.commitsPerThousand)
  }
  const A = median(nothing)
  const possible = Math.min(1 / (1 / A + 1 / bare), callers / (1.5 * sync))
  report.add(`A: submits/s of the same server storing nothing, ${callers} callers`, A)
  report.add(`durable submits/s, ${callers} callers`, median(durable))
  report.add(`commits per 1,000 durable submits, ${callers} callers`, median(commits))
  report.add(`durable submits ÷ what A, B and the disk allow, ${callers} callers`, median(durable) / possible, {
    atLeast: 0.85,
  })
}

async function repeated<T>(measure: () => Promise<T>): Promise<T[]> {
  const measured: T[] = []
  for (let round = 0; round < rounds; round += 1) measured.push(await measure())
  return measured
}

async function run(mode: 'durable' | 'nothing', callers: number, count = requests) {
  await using server = await startServer(mode)
  await load(server, callers, 2_000) // warms the code up
  const before = await server.ask<{ commits: number }>('stats')
  const { seconds, p50 } = await load(server, callers, count)
  const { commits } = await server.ask<{ commits: number }>('stats')
  return { perSecond: count / seconds, commitsPerThousand: ((commits - before.commits) / count) * 1000, p50 }
}

async function syncsPerThousand(): Promise<number | undefined> {
  await using server = await startServer('durable')
  await load(server, 64, 2_000)
  const syncs = await syncsDuring(server.pid, () => load(server, 64, requests))
  return syncs === undefined ? undefined : (syncs / requests) * 1000
}

async function load({ port, path, key }: Server, callers: number, count: number): Promise<Load> {
  return await ran('load.ts', port, callers, count, `/queue${path}`, `Key ${key}`)
}

interface Load {
  readonly seconds: number
  /** Of each request, milliseconds. */
  readonly p50: number
}

/** The same statements, prepared once, in transactions of 64, by nobody but this loop. */
async function bareLoop(): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'carrick-bench-'))
  const file = join(folder, 'bare.sqlite')
  const store = await openSqliteStore({ file, log: silent, migrations: knownMigrations() })
  await addTestAccount(store)
  await addTestApp(store)
  await store.close()
  const database = new DatabaseSync(file)
  database.exec('pragma journal_mode = wal; pragma synchronous = full')
  const started = performance.now()
  for (let done = 0; done < requests; done += grouped) group(database, done)
  const seconds = (performance.now() - started) / 1000
  database.close()
  await rm(folder, { recursive: true, force: true })
  return requests / seconds
}

const prepared = new WeakMap<DatabaseSync, Map<string, ReturnType<DatabaseSync['prepare']>>>()

function group(database: DatabaseSync, first: number): void {
  const known = prepared.get(database) ?? new Map()
  prepared.set(database, known)
  database.exec('begin immediate')
  for (let number = first; number < first + grouped; number += 1) {
    for (const { text, values } of acceptRequest(request(number)).statements) {
      if (!known.has(text)) known.set(text, database.prepare(text))
      known.get(text)?.all(...values)
    }
  }
  database.exec('commit')
}

const body = new TextEncoder().encode(JSON.stringify({ prompt: 'x'.repeat(1000) }))

function request(number: number) {
  return {
    id: `01900000-0000-7000-8000-${number.toString().padStart(12, '0')}`,
    appId: 'app-1',
    priority: 'normal' as const,
    acceptedAt: number,
    retry: { forbidden: false, budgets: {} },
    payload: {
      method: 'POST',
      path: '/',
      headers: [['content-type', 'application/json']] as const,
      body: { inline: body },
      callerId: 'x',
    },
  }
}

function fdatasyncSeconds(): number {
  const file = openSync(join(tmpdir(), `carrick-sync-${process.pid}`), 'w')
  const times = Array.from({ length: 200 }, () => {
    writeSync(file, Buffer.alloc(4096))
    const started = performance.now()
    fdatasyncSync(file)
    return (performance.now() - started) / 1000
  })
  closeSync(file)
  return median(times)
}
