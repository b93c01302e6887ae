import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** More looks than a process needs to be seen that another one starts while it is being moved. */
const mostLooks = 16

/**
 * The processes of a group; none when there is no such group. One of another process namespace is told as 0, which as the target of a
 * signal would be ourselves and all of our process group: it is left out.
 */
export async function membersOf(folder: string): Promise<readonly number[]> {
  return (await readFile(join(folder, 'cgroup.procs'), 'utf8').catch(() => ''))
    .split('\n')
    .map(Number)
    .filter((pid) => pid > 0)
}

/** Puts all processes of a group into another one of the same hierarchy, also those that they start meanwhile. */
export async function moveAll(from: string, to: string): Promise<void> {
  for (let look = 0; look < mostLooks; look += 1) {
    const members = await membersOf(from)
    if (members.length === 0) return
    for (const pid of members) await writeFile(join(to, 'cgroup.procs'), String(pid)).catch(() => {}) // it may be gone
  }
}
