import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** How often a process asks the disk to sync while `work` runs, as the kernel sees it. Undefined where strace cannot tell. */
export async function syncsDuring(pid: number, work: () => Promise<unknown>): Promise<number | undefined> {
  const args = ['-f', '-e', 'trace=fsync,fdatasync', '-e', 'signal=none', '-p', String(pid)]
  const strace = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const gone = new Promise<false>((resolve) =>
    strace.once('error', () => resolve(false)).once('exit', () => resolve(false)),
  )
  let syncs = 0
  const attached = new Promise<true>((resolve) => {
    createInterface({ input: strace.stderr }).on('line', (line) => {
      if (line.includes('attached')) resolve(true)
      if (/(fsync|fdatasync)\(/.test(line)) syncs += 1
    })
  })
  if (!(await Promise.race([attached, gone]))) return undefined
  await work()
  strace.kill('SIGINT')
  if (strace.exitCode === null) await once(strace, 'close')
  return syncs
}
