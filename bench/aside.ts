import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hierarchiesIn } from '../packages/server/src/backends/process/groups/places.ts'
import type { Carrick } from '../test/e2e/carrick.ts'

/**
 * Has the stock tools give way to everybody: who deploys and scales sits at a machine of their own, and here they share the
 * processors with server, runners and callers. A control group that is idle does it where one can be made (version 1; the
 * group is removed at the end), and SCHED_IDLE among the processes of one session. Nothing of the server's is begun so.
 */
export async function aside(carrick: Carrick): Promise<AsyncDisposable> {
  const group = await idleGroup()
  const entered = group === undefined ? [] : ['sh', '-c', `echo $$ > '${group}/cgroup.procs' && exec "$@"`, 'sh']
  carrick.begunBy = [...entered, 'chrt', '--idle', '0']
  return {
    async [Symbol.asyncDispose]() {
      carrick.begunBy = []
      if (group !== undefined) await rmdir(group).catch(() => {}) // somebody may be in it for a moment yet
    },
  }
}

async function idleGroup(): Promise<string | undefined> {
  const [mounts, groups] = await Promise.all([
    readFile('/proc/self/mountinfo', 'utf8'),
    readFile('/proc/self/cgroup', 'utf8'),
  ])
  const cpu = hierarchiesIn(mounts, groups).find(
    ({ version, controllers }) => version === 1 && controllers.includes('cpu'),
  )
  if (cpu === undefined) return undefined
  const group = join(cpu.own, `carrick-bench-${process.pid}`)
  try {
    await mkdir(group)
    await writeFile(join(group, 'cpu.idle'), '1')
    return group
  } catch {
    return undefined
  }
}
