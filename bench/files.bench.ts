import { open, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Carrick } from '../test/e2e/carrick.ts'
import type { Report } from './report.ts'

const largeMiB = 1_024
const lookEveryMs = 20

/**
 * Question: what does an upload of 1 GiB with the stock `fal` cost the server in memory? Expected: no more than the parts
 * that are on their way, ten at a time, since nothing is held but what a socket has given and the disk has not taken.
 * A small upload in parts comes first: it loads and compiles what any upload needs.
 */
export async function files(report: Report): Promise<void> {
  await using carrick = await Carrick.start()
  const folder = await mkdtemp(join(tmpdir(), 'carrick-bench-files-'))
  try {
    await upload(carrick, await fileOf(folder, 30))
    const large = await fileOf(folder, largeMiB)
    const before = await residentMiB(carrick.pid)
    const { took, peak } = await watched(carrick.pid, upload(carrick, large))
    report.add('fal files upload of 1 GiB: resident memory before', before, undefined, ' MiB')
    report.add('fal files upload of 1 GiB: added resident memory, peak', peak - before, { atMost: 100 }, ' MiB')
    report.add('fal files upload of 1 GiB, with the start of the command', took / 1_000, undefined, ' s')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function upload(carrick: Carrick, file: string): Promise<void> {
  const { code, stdout, stderr } = await carrick.fal('files', 'upload', file, '/data/bench.bin')
  if (code !== 0) throw new Error(`fal files upload ended with ${code}: ${stdout}${stderr}`)
}

async function fileOf(folder: string, sizeMiB: number): Promise<string> {
  const path = join(folder, `${sizeMiB}.bin`)
  await using file = await open(path, 'w')
  const block = Buffer.alloc(1024 * 1024, 'carrick')
  for (let written = 0; written < sizeMiB; written += 1) await file.writeFile(block)
  return path
}

async function watched(pid: number, work: Promise<void>): Promise<{ took: number; peak: number }> {
  const started = performance.now()
  let peak = 0
  let over = false
  const ended = work.finally(() => (over = true))
  while (!over) {
    peak = Math.max(peak, await residentMiB(pid))
    await new Promise((wake) => setTimeout(wake, lookEveryMs))
  }
  await ended
  return { took: performance.now() - started, peak }
}

async function residentMiB(pid: number): Promise<number> {
  return Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}
