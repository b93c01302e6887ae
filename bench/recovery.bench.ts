import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as rest } from 'node:timers/promises'
import { World } from '../test/crash/world.ts'
import { median, type Report } from './report.ts'
import { fill } from './waiting-rows.ts'

const waiting = 1_000_000
const kills = 3

/**
 * Question: how long is nobody served after a `kill -9` with a million waiting requests, and what does the start hold?
 * Expected: a few seconds, most of them for reading the rows; bodies stay on disk. Timed from the start of the process to the
 * moment at which the app writes down that it was called, so the start of a runner counts too. On a busy machine only the
 * processor time says something.
 */
export async function recovery(report: Report): Promise<void> {
  await using world = await World.make()
  const ledger = join(world.folder, '..', 'ledger')
  const file = join(world.folder, 'carrick.sqlite')
  fill(file, waiting, appIn(file), bodyFor(ledger))
  const seconds: number[] = []
  const processor: number[] = []
  let memory = 0
  await firstCall(world, ledger)
  for (let kill = 0; kill < kills; kill += 1) {
    await world.server.down()
    seconds.push(await firstCall(world, ledger))
    processor.push(await processorSeconds(world.server.pid))
    memory = Math.max(memory, await peakMiB(world.server.pid))
  }
  report.add('1,000,000 waiting: kill -9 to the first call of the app', median(seconds), { atMost: 10 }, ' s')
  report.add('processor time of that start, all threads', median(processor), undefined, ' s')
  report.add('the most memory that start held', memory, { atMost: 1024 }, ' MiB')
}

/** Starts the server, and answers after how many seconds the app was called. */
async function firstCall(world: World, ledger: string): Promise<number> {
  const size = async () => (await stat(ledger).catch(() => undefined))?.size ?? 0
  const before = await size()
  const began = performance.now()
  if (!(await world.up())) throw new Error(`the server did not start:\n${world.server.said}`)
  while ((await size()) === before) await rest(2)
  return (performance.now() - began) / 1_000
}

/** What a process and its threads have used of the processors so far. */
async function processorSeconds(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ').at(-1)!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

async function peakMiB(pid: number): Promise<number> {
  return Number(/VmHWM:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}

function appIn(file: string): string {
  const database = new DatabaseSync(file, { readOnly: true })
  const row = database.prepare('select id from app').get()
  database.close()
  return String(row?.['id'])
}

/** What the app of the crash harness wants, padded to 1 KB. */
function bodyFor(ledger: string): Uint8Array {
  return Buffer.from(JSON.stringify({ ledger, ms: 1, chunks: 1 }).padEnd(1024))
}
