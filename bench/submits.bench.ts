import { execFile, spawn } from 'node:child_process'
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import { knownMigrations } from '../packages/server/src/store/migrations.ts'
import { acceptRequest } from '../packages/server/src/store/requests.ts'
import { openSqliteStore } from '../packages/server/src/store/sqlite/index.ts'
import { silent } from '../packages/server/src/kit/logger.ts'
import { addTestAccount, addTestApp } from '../packages/server/src/testing/store.ts'
import { median, type Report } from './report.ts'
import { syncsDuring } from './syncs.ts'

const callers = 64
const requests = 20_000
const rounds = 3

/**
 * Question: what does durability cost a submit? Expected: as much as the statements themselves and a share of one sync, because
 * callers who wait together share a commit. The callers are a process of their own, over plain HTTP, one connection each.
 */
export async function submits(report: Report): Promise<void> {
  const sync = fdatasyncSeconds()
  report.add('fdatasync of this disk, p50', sync * 1000, undefined, ' ms')
  const durable: number[] = []
  const nothing: number[] = []
  const commits: number[] = []
  const bare: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    nothing.push((await submitsPerSecond('nothing')).perSecond)
    const run = await submitsPerSecond('durable')
    durable.push(run.perSecond)
    commits.push(run.commitsPerThousand)
    bare.push(await bareLoop())
  }
  const [A, B] = [median(nothing), median(bare)]
  const possible = Math.min(1 / (1 / A + 1 / B), callers / (1.5 * sync))
  report.add('commits per 1,000 durable submits, 64 callers', median(commits))
  const syncs = await syncsPerThousand()
  if (syncs === undefined) console.error('strace is not here or may not trace: syncs are not counted, only commits')
  else report.add('syncs per 1,000 durable submits, checkpoints included', syncs, { atMost: 40 })
  report.add('A: submits/s of the same server storing nothing', A)
  report.add('B: the same statements/s in a bare loop, groups of 64', B)
  report.add('durable submits/s', median(durable))
  report.add('durable submits ÷ what A, B and the disk allow', median(durable) / possible, { atLeast: 0.8 })
}

async function submitsPerSecond(mode: string): Promise<{ perSecond: number; commitsPerThousand: number }> {
  await using server = await startServer(mode)
  await load(server, 2_000) // warms the code up
  const before = await server.commits()
  const seconds = await load(server, requests)
  const commits = (await server.commits()) - before
  return { perSecond: requests / seconds, commitsPerThousand: (commits / requests) * 1000 }
}

async function syncsPerThousand(): Promise<number | undefined> {
  await using server = await startServer('durable')
  await load(server, 2_000)
  const syncs = await syncsDuring(server.pid, () => load(server, requests))
  return syncs === undefined ? undefined : (syncs / requests) * 1000
}

interface Server extends AsyncDisposable {
  readonly pid: number
  readonly port: number
  readonly path: string
  readonly key: string
  commits(): Promise<number>
}

async function startServer(mode: string): Promise<Server> {
  const folder = await mkdtemp(join(tmpdir(), 'carrick-bench-'))
  const program = new URL('./submit-server.ts', import.meta.url).pathname
  const child = spawn(process.execPath, ['--conditions=carrick-source', program, folder, mode], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const said = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const hear = async <T>() => JSON.parse((await said.next()).value ?? '{}') as T
  return {
    ...(await hear<{ port: number; path: string; key: string }>()),
    pid: child.pid ?? 0,
    commits: async () => (child.stdin.write('stats\n'), (await hear<{ commits: number }>()).commits),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function load({ port, path, key }: Server, count: number): Promise<number> {
  const program = new URL('./load.ts', import.meta.url).pathname
  const args = [program, String(port), String(callers), String(count), path, `Key ${key}`]
  return Number((await promisify(execFile)(process.execPath, args)).stdout)
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
  for (let done = 0; done < requests; done += callers) group(database, done)
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
  for (let number = first; number < first + callers; number += 1) {
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
