import { constants } from 'node:fs'
import { access, mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import type { RunnerId } from '../../domain/ids.ts'

/**
 * A control group (v2) per runner, where the machine lets us make them: the one handle on a process tree that no
 * process can leave. Without it a runner is found by process group, parents and environment.
 */
export interface Cgroups {
  folderOf(id: RunnerId): string
  /** Makes the runner's group. */
  make(id: RunnerId): Promise<void>
  /** Moves a process in; what it starts from then on is in it too. */
  join(id: RunnerId, pid: number): Promise<void>
  /** Ends all that is in it. */
  kill(id: RunnerId): Promise<void>
  /** Removes the empty group. */
  remove(id: RunnerId): Promise<void>
  /** Runners with a process in their group. */
  populated(): Promise<RunnerId[]>
  close(): Promise<void>
}

/** Nothing when there is no group we may write below our own, or the kernel is older than `cgroup.kill` (5.14). */
export async function openCgroups(installation: string): Promise<Cgroups | undefined> {
  const own = await ownGroup()
  if (!own) return undefined
  const root = join(own, `carrick-${installation}`)
  try {
    await access(join(own, 'cgroup.procs'), constants.W_OK)
    await mkdir(root, { recursive: true })
    await access(join(root, 'cgroup.kill'), constants.W_OK)
  } catch {
    return undefined
  }
  return cgroupsIn(root)
}

function cgroupsIn(root: string): Cgroups {
  const folderOf = (id: RunnerId) => join(root, id)
  return {
    folderOf,
    make: async (id) => void (await mkdir(folderOf(id), { recursive: true })),
    join: (id, pid) => writeFile(join(folderOf(id), 'cgroup.procs'), String(pid)),
    kill: (id) => writeFile(join(folderOf(id), 'cgroup.kill'), '1').catch(ignoreMissing),
    remove: (id) => removeGroup(folderOf(id)),
    populated: async () => {
      const entries = await readdir(root, { withFileTypes: true }).catch(() => [])
      const ids = entries.filter((entry) => entry.isDirectory())
      const events = await Promise.all(
        ids.map(({ name }) => readFile(join(root, name, 'cgroup.events'), 'utf8').catch(() => '')),
      )
      return ids.filter((_, index) => events[index]?.includes('populated 1')).map(({ name }) => name)
    },
    close: async () => {
      await Promise.all((await readdir(root).catch(() => [])).map((name) => removeGroup(join(root, name))))
      await removeGroup(root)
    },
  }
}

/** A group with a zombie in it is busy until somebody reaps that; it is empty, and the next start removes it. */
async function removeGroup(folder: string): Promise<void> {
  await rmdir(folder).catch(() => {}) // also for the files of a group, which are no folders
}

async function ownGroup(): Promise<string | undefined> {
  const [mounts, groups] = await Promise.all(
    ['/proc/self/mountinfo', '/proc/self/cgroup'].map((file) => readFile(file, 'utf8').catch(() => '')),
  )
  const mount = mounts
    ?.split('\n')
    .find((line) => line.includes(' - cgroup2 '))
    ?.split(' ')
  const path = groups
    ?.split('\n')
    .find((line) => line.startsWith('0::'))
    ?.slice(3)
  const [root, point] = [mount?.[3], mount?.[4]]
  return root && point && path ? join(point, relative(root, path)) : undefined
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT' && error.code !== 'ENODEV') throw error
}
