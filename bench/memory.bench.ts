import { execFile, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { root } from '../test/e2e/carrick.ts'
import type { Report } from './report.ts'

const fromSource = ['--conditions=carrick-source', 'packages/cli/src/main.ts']
const compiled = ['packages/cli/dist/main.js']

/** Question: what does an idle server cost in memory? Measured on its first start, the one that also makes certificates. */
export async function memory(report: Report): Promise<void> {
  await promisify(execFile)('npm', ['run', 'build'], { cwd: root })
  report.add('idle resident memory, run from TypeScript', await idleMiB(fromSource), { atMost: 240 }, ' MiB')
  report.add('idle resident memory, compiled', await idleMiB(compiled), { atMost: 170 }, ' MiB')
}

async function idleMiB(program: readonly string[]): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'carrick-bench-'))
  const args = ['--disable-warning=ExperimentalWarning', ...program, 'up', '--port', '0', '--data', folder]
  const server = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    for await (const line of createInterface({ input: server.stdout })) if (line.startsWith('Carrick is ready')) break
    const status = await readFile(`/proc/${server.pid}/status`, 'utf8')
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024
  } finally {
    server.kill('SIGKILL')
    await rm(folder, { recursive: true, force: true })
  }
}
