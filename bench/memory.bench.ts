import { readFile } from 'node:fs/promises'
import { Carrick } from '../test/e2e/carrick.ts'
import type { Report } from './report.ts'

/** Question: what does an idle server cost in memory? Measured after it was ready and had answered a status. */
export async function memory(report: Report): Promise<void> {
  const fromSource = await idleMiB()
  report.add('idle resident memory, run from TypeScript', fromSource, { atMost: 240 }, ' MiB')
}

async function idleMiB(): Promise<number> {
  await using carrick = await Carrick.start()
  await carrick.status()
  const status = await readFile(`/proc/${carrick.pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024
}
