import { execFile, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
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
const rounds = 3

/**
 * Question: is a server through which millions of requests went, and were swept, as fast as a new one, and does its folder stay as
 * it is? Expected: yes. A sweep's step shares its commit with the writes that come anyway, finds its rows by index, and SQLite uses
 * freed pages again. Windows on the old server, in each of which as much is swept as comes, alternate with windows on new
 * servers on which nothing is swept yet, so that what else the machine does falls on both.
 */
export async function retention(report: Report): Promise<void> {
  await using old = await startServer(keptSeconds)
  const { perSecond, settledBytes, peakBytes } = await age(old)
  const [aged, fresh]: [number[], number[]] = [[], []]
  let widest = peakBytes
  for (let round = 0; round < rounds; round += 1) {
    fresh.push(await freshWindow())
    await until(old, keptSeconds + 2) // what came before is due from here on, as steadily as it came
    const before = await old.look()
    const began = performance.now()
    for (let sent = 0; sent < 4 * piece; sent += piece) await load(old, piece)
    aged.push((4 * piece * 1_000) / (performance.now() - began))
    const after = await old.look()
    widest = Math.max(widest, after.bytes)
    console.error(
      `round ${round + 1}: new ${Math.round(fresh.at(-1) ?? 0)}/s, old ${Math.round(aged.at(-1) ?? 0)}/s while ${after.swept - before.swept} were swept`,
    )
  }
  report.add('requests that went through retention', (await old.look()).swept)
  report.add('requests/s on the way there, 64 callers', perSecond)
  report.add('requests/s after them ÷ at the start of a new server', median(aged) / median(fresh), { atLeast: 0.9 })
  report.add('data folder when as much went as came', settledBytes / 2 ** 20, undefined, ' MiB')
  report.add('the widest that it ever was ÷ that', widest / settledBytes, { atMost: 1.5 })
}

/** Sends requests through, and answers how large the folder was when the first had been swept for a while, and at its peak. */
async function age(server: Server) {
  const began = performance.now()
  let settledBytes = 0
  let peakBytes = 0
  for (let sent = 0; sent < requests; sent += piece) {
    await load(server, piece)
    const { bytes } = await server.look()
    peakBytes = Math.max(peakBytes, bytes)
    if (performance.now() - began < 4_000 * keptSeconds || sent < requests / 10)
      settledBytes = Math.max(settledBytes, bytes)
    if (sent % (10 * piece) === 0) console.error(`${sent + piece} sent, folder ${Math.round(bytes / 2 ** 20)} MiB`)
  }
  return { perSecond: (requests * 1_000) / (performance.now() - began), settledBytes, peakBytes }
}

/** Requests per second of a server that has just been made, warm, and long before anything is swept. */
async function freshWindow(): Promise<number> {
  await using server = await startServer(86_400)
  await load(server, piece)
  const began = performance.now()
  for (let sent = 0; sent < 4 * piece; sent += piece) await load(server, piece)
  return (4 * piece * 1_000) / (performance.now() - began)
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
  readonly port: number
  readonly path: string
  readonly key: string
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
}
