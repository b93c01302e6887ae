import { readFile } from 'node:fs/promises'
import type { RunnerId } from '../../../domain/ids.ts'
import type { RunnerUsage } from '../../backend.ts'
import { allProcs, type Proc } from '../proc.ts'
import type { Place } from '../end/survivors.ts'

/** How the kernel counts in /proc: USER_HZ and the size of a page. Both are the same on every machine that Node runs on. */
const ticksPerSecond = 100
const bytesPerPage = 4_096

/** What runners use, each known by its main process: as their control groups tell it, and what those do not tell from /proc. */
export async function usageOf(
  mains: ReadonlyMap<RunnerId, number>,
  { cgroups }: Place,
): Promise<ReadonlyMap<RunnerId, RunnerUsage>> {
  const trees = await usageOfTrees(mains)
  const used = Array.from(trees, async ([id, tree]) => {
    const group = cgroups ? await cgroups.usageOf(id) : {}
    return [id, { ...tree, ...group }] as const
  })
  return new Map(await Promise.all(used))
}

/**
 * What the process trees below these leaders use. Processes that ended count for as long as somebody of the tree waited
 * for them, as most do.
 */
async function usageOfTrees(leaders: ReadonlyMap<RunnerId, number>): Promise<ReadonlyMap<RunnerId, RunnerUsage>> {
  const procs = await allProcs()
  const owners = ownersOf(procs, new Map(Array.from(leaders, ([id, pid]) => [pid, id])))
  const used = new Map<RunnerId, RunnerUsage>()
  await Promise.all(
    Array.from(owners, async ([pid, id]) => {
      const { cpuSeconds, memoryBytes } = await usageOfProcess(pid)
      const so = used.get(id) ?? { cpuSeconds: 0, memoryBytes: 0 }
      used.set(id, { cpuSeconds: so.cpuSeconds + cpuSeconds, memoryBytes: so.memoryBytes + memoryBytes })
    }),
  )
  return used
}

/** Which tree each process belongs to: that of its parents, its session or its process group. */
function ownersOf(procs: readonly Proc[], leaders: ReadonlyMap<number, RunnerId>): ReadonlyMap<number, RunnerId> {
  const byPid = new Map(procs.map((proc) => [proc.pid, proc]))
  const owners = new Map<number, RunnerId>()
  for (const { pid } of procs) {
    const seen = new Set<number>()
    for (let at = byPid.get(pid); at !== undefined && !seen.has(at.pid); at = byPid.get(at.parent)) {
      seen.add(at.pid)
      const owner = leaders.get(at.pid) ?? leaders.get(at.session) ?? leaders.get(at.group)
      if (owner === undefined) continue
      owners.set(pid, owner)
      break
    }
  }
  return owners
}

/** See proc(5): user and system time, also of children that were waited for, and resident pages. */
async function usageOfProcess(pid: number): Promise<RunnerUsage> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
  return { cpuSeconds: ticks / ticksPerSecond, memoryBytes: Number(fields[21] ?? 0) * bytesPerPage }
}
