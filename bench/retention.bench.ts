import { execFile, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as rest } from 'node:timers/promises'
import { promisify } from 'node:util'
import { median, type Report } from './report.ts'

/** How many go through retention before the last windows; BENCH_RETENTION_REQUESTS says another number. */
const requests = Number(process.env['BENCH_RETENTION_REQUESTS'] ?? 500_000)
/** What is kept so long is a steady number of requests, as thirty days are at another rate. */
const keptSeconds = 10
const callers = 64
const piece = 10_000
const windowSize = 2 * piece
const rounds = 5

/**
 * Question: is a server through which millions of requests went, and were swept, as fast as a new one, and does its folder stay as
 * it is? Expected: yes. A sweep's step shares its commit with the writes that come anyway, finds its rows by index, and SQLite uses
 * freed pages again. Windows on the old server, in each of which as much is swept as comes, alternate with windows on new
 * servers on which nothing is swept yet, so that what else the machine does falls on both.
 */
export async function retention(report: Report): Promise<void> {
  await using old = await startServer(keptSeconds)
  const perSecond = await age(old)
  const [aged, fresh]: [Window[], Window[]] = [[], []]
  for (let round = 0; round < rounds; round += 1) {
    fresh.push(await freshWindow())
    await until(old, keptSeconds + 2) // what came before is due from here on, as steadily as it came
    const before = (await old.look()).swept
    aged.push(await windowOn(old))
    const swept = (await old.look()).swept - before
    const [now, then] = [fresh, aged].map((all) => Math.round(all.at(-1)?.perSecond ?? 0))
    console.error(`round ${round + 1}: new ${now}/s, old ${then}/s while ${swept} were swept`)
  }
  // Of neighbours, because what else the machine does comes and goes.
  const ratioOf = (field: keyof Window) => median(aged.map((each, round) => each[field] / (fresh[round]?.[field] ?? 0)))
  report.add('requests that went through retention', (await old.look()).swept)
  report.add('requests/s on the way there, 64 callers', perSecond)
  report.add('requests/s after them ÷ at the start of a new server', ratioOf('perSecond'), { atLeast: 0.9 })
  report.add('the server’s CPU time per request, the same ÷', ratioOf('cpu'))
  report.add('data folder after them', (await old.look()).bytes / 2 ** 20, undefined, ' MiB')
  report.add('the same per request that was kept when most were ÷ of a new server', ratioOf('room'), {
    atMost: 1.5,
  })
}

/** Sends requests through, and answers how many in a second. */
async function age(server: Server): Promise<number> {
  const began = performance.now()
  for (let sent = 0; sent < requests; sent += piece) {
    await load(server, piece)
    if (sent % (10 * piece) !== 0) continue
    const { bytes, swept } = await server.look()
    console.error(`${sent + piece} sent, ${swept} swept, folder ${Math.round(bytes / 2 ** 20)} MiB`)
  }
  return (requests * 1_000) / (performance.now() - began)
}

/** A server that has just been made, warm, and long before anything is swept. */
async function freshWindow(): Promise<Window> {
  await using server = await startServer(86_400)
  await load(server, 2 * piece)
  return await windowOn(server)
}

interface Window {
  readonly perSecond: number
  /** Clock ticks of all the server's threads per request. */
  readonly cpu: number
  /** Bytes of the data folder by the most requests that were ever kept: a file does not shrink, it is used again. */
  readonly room: number
}

async function windowOn(server: Server): Promise<Window> {
  const [began, used] = [performance.now(), await ticksOf(server.pid)]
  for (let sent = 0; sent < windowSize; sent += piece) await load(server, piece)
  return {
    perSecond: (windowSize * 1_000) / (performance.now() - began),
    cpu: ((await ticksOf(server.pid)) - used) / windowSize,
    room: (await server.look()).bytes / server.mostKept,
  }
}

/** What the kernel counts of a process: the 14th and 15th fields, behind the name, which may hold anything. */
async function ticksOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
  return Number(user) + Number(system)
}

/** Keeps a server busy for so many seconds. */
async function until(server: Server, seconds: number): Promise<void> {
  const began = performance.now()
  while (performance.now() - began < seconds * 1_000) await load(server, piece)
}

interface Look {
  readonly open: number
  readonly swept: number
  readonly bytes: number
}

interface Server extends AsyncDisposable {
  readonly pid: number
  readonly port: number
  readonly path: string
  readonly key: string
  sent: number
  mostKept: number
  look(): Promise<Look>
}

async function startServer(seconds: number): Promise<Server> {
  const folder = await mkdtemp(join(tmpdir(), 'carrick-bench-'))
  const program = new URL('./retention-server.ts', import.meta.url).pathname
  const child = spawn(process.execPath, ['--conditions=carrick-source', program, folder, String(seconds)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const said = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const hear = async <T>() => JSON.parse((await said.next()).value ?? '{}') as T
  return {
    ...(await hear<{ port: number; path: string; key: string }>()),
    pid: child.pid ?? 0,
    sent: 0,
    mostKept: 0,
    look: async () => (child.stdin.write('look\n'), await hear<Look>()),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Submits so many, and waits until all of them have run. */
async function load(server: Server, count: number): Promise<void> {
  const program = new URL('./load.ts', import.meta.url).pathname
  const args = [program, String(server.port), String(callers), String(count), server.path, `Key ${server.key}`]
  await promisify(execFile)(process.execPath, args)
  while ((await server.look()).open > 0) await rest(5)
  server.sent += count
  server.mostKept = Math.max(server.mostKept, server.sent - (await server.look()).swept)
}
