import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { median, type Report } from './report.ts'

const completed = 900
const rounds = 3

/**
 * Question: does a longer backlog make dispatch slower? Expected: no, the order is in memory and bodies are read by key.
 * Each run starts from disk as a restarted server does, and completes the first requests of the backlog durably.
 */
export async function backlog(report: Report): Promise<void> {
  const short: number[] = []
  const long: number[] = []
  let memory = 0
  for (let round = 0; round < rounds; round += 1) {
    short.push((await run(1_000)).secondsEach)
    const million = await run(1_000_000)
    long.push(million.secondsEach)
    memory = Math.max(memory, million.memory)
  }
  report.add('dispatch with 1,000 waiting, each', median(short) * 1000, undefined, ' ms')
  report.add('dispatch with 1,000,000 waiting ÷ with 1,000', median(long) / median(short), { atMost: 1.2 })
  report.add('resident memory with 1,000,000 waiting', memory, { atMost: 1024 }, ' MiB')
}

async function run(waiting: number): Promise<{ secondsEach: number; memory: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'carrick-bench-'))
  const program = new URL('./backlog-run.ts', import.meta.url).pathname
  const args = ['--conditions=carrick-source', program, folder, String(waiting), String(completed)]
  try {
    return JSON.parse((await promisify(execFile)(process.execPath, args)).stdout) as {
      secondsEach: number
      memory: number
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
