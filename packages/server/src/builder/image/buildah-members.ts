import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'

/** Of the control groups of an installation's builds: what a build runs is found by it, and nobody inside can leave it. */
export const groupsOf = (installation: string): string =>
  `carrick-build-${installation
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, '')
    .slice(0, 16)}-`

const lookEveryMs = 50
/** A step that was about to begin has begun by then. */
const quietMs = 1_000
const mostMs = 30_000

/**
 * Ends all that runs in control groups whose names begin like this, now and for a moment after the last one: Buildah ends a build when its
 * caller has gone, but not the command that it is running.
 */
export async function endMembers(groups: string): Promise<void> {
  const until = performance.now() + mostMs
  for (let quietSince = performance.now(); performance.now() - quietSince < quietMs && performance.now() < until;) {
    for (const pid of await membersOf(groups)) {
      end(pid)
      quietSince = performance.now()
    }
    await pause(lookEveryMs)
  }
}

/** Whether anything runs there. */
export const hasMembers = async (groups: string): Promise<boolean> => (await membersOf(groups)).length > 0

async function membersOf(groups: string): Promise<readonly number[]> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name))
  const found = await Promise.all(
    pids.map(async (pid) => {
      const text = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '') // it has ended
      return text.includes(`/${groups}`) ? [Number(pid)] : []
    }),
  )
  return found.flat()
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended, or is not ours to end.
  }
}
