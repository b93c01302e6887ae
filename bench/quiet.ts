import { readFile } from 'node:fs/promises'
import { until, type Carrick } from '../test/e2e/carrick.ts'

/** What the server says of itself, without the start of a command, which would be felt by what is measured. */
async function statusOf(carrick: Carrick): Promise<{ runners: number; queued: number; running: number }> {
  return (await (await carrick.ask('/v1/status')).json()) as never
}

/** Resolves when the installation has just so many runners. */
export async function untilRunners(carrick: Carrick, runners: number): Promise<void> {
  await until(async () => (await statusOf(carrick)).runners === runners, `${runners} runners`)
}

/** Resolves when no request waits or runs. */
export async function untilAllEnded(carrick: Carrick): Promise<void> {
  await until(async () => {
    const { queued, running } = await statusOf(carrick)
    return queued + running === 0
  }, 'the end of all requests')
}

/** Milliseconds of processor time that the server has used, all threads and no other process. See proc(5). */
export async function processorMs(carrick: Carrick): Promise<number> {
  const stat = await readFile(`/proc/${carrick.pid}/stat`, 'utf8')
  const [user = 0, system = 0] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number)
  return (user + system) * 10
}
