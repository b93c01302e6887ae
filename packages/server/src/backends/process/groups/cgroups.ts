import { constants, writeFileSync } from 'node:fs'
import { access, mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { RunnerId } from '../../../domain/ids.ts'
import type { RunnerUsage } from '../../backend.ts'
import { aboveLeaf, delegate, enable } from './delegation.ts'
import {
  filesAmongStarting,
  filesAtStart,
  filesOfAll,
  filesOfEnd,
  filesOfLongStart,
  filesOfStarting,
  filesOnceServing,
  type GroupFile,
  type GroupLimits,
} from './files.ts'
import { membersOf, moveAll } from './members.ts'
import { hierarchiesIn, type Hierarchy } from './places.ts'
import { sendSignal } from '../signals.ts'

/**
 * A control group per runner, where the machine lets us make them, in each hierarchy that is of use: version 2, whose
 * `cgroup.kill` is the one handle on a process tree that no process can leave, and version 1 for the controllers that
 * version 2 doesn't have here.
 */
export interface Cgroups {
  /** Which bounds they hold, and by which version. */
  readonly held: ReadonlyMap<GroupFile['controller'], 1 | 2>
  /** Makes the runner's groups, bounds and all. */
  make(id: RunnerId, limits: GroupLimits): Promise<void>
  /** Groups that were made under this name before anybody knew of the runner are its own from now on. */
  adopt(id: RunnerId, name: string): void
  /** Its folders: a process that writes itself into `cgroup.procs` of each is in it, and so is all that it starts. */
  foldersOf(id: RunnerId): readonly string[]
  /** The same while it starts; `cpu` is for what belongs to it and not to its app, too. */
  foldersAtStart(id: RunnerId): { readonly cpu: string | undefined; readonly others: readonly string[] }
  /** Its start has stood back for long enough. */
  startsLong(id: RunnerId, limits: GroupLimits): Promise<void>
  /** It serves: from now on its limits of CPU count. */
  serves(id: RunnerId, limits: GroupLimits): Promise<void>
  /** It was told to end: callers of others come before it. */
  ends(id: RunnerId, limits: GroupLimits): void
  /** Whether the kernel ended a process of it for want of memory, and whether that was its own bound. */
  memoryKills(id: RunnerId): Promise<{ readonly count: number; readonly atLimit: boolean }>
  /** What it has used, as far as the machine keeps account of it. */
  usageOf(id: RunnerId): Promise<Partial<RunnerUsage>>
  /** Stops all that is in it in its tracks, or lets it go on. Absent where there is no version 2, whose processes can be killed all the same. */
  readonly freeze?: (id: RunnerId, yes: boolean) => Promise<void>
  /** Ends all that is in it, which takes a moment. */
  kill(id: RunnerId): Promise<void>
  /** Whether a process is in it, and be it one that is about to be gone. */
  isPopulated(id: RunnerId): Promise<boolean>
  /** Removes the empty groups. */
  remove(id: RunnerId): Promise<void>
  /** Removes all groups in which nobody is. */
  tidy(): Promise<void>
  /** Runners with a process in a group of theirs. */
  populated(): Promise<RunnerId[]>
  close(): Promise<void>
}

/** A hierarchy in which we have a folder for our runners. */
interface Usable {
  readonly version: 1 | 2
  readonly controllers: readonly string[]
  readonly root: string
  /** Where runners are while they start, beside all that serve: for the CPU of version 1. */
  readonly starting?: string
}

const ofUse = ['memory', 'cpu', 'cpuacct', 'pids']

/** Nothing when there is no group below our own that we may write. */
export async function openCgroups(
  installation: string,
  hierarchies?: readonly Hierarchy[],
): Promise<Cgroups | undefined> {
  const usable: Usable[] = []
  for (const each of hierarchies ?? (await ours())) usable.push(...(await opened(each, `carrick-${installation}`)))
  return usable.length === 0 ? undefined : cgroupsIn(withoutDoubles(usable))
}

async function ours(): Promise<readonly Hierarchy[]> {
  const [mounts = '', groups = ''] = await Promise.all(
    ['/proc/self/mountinfo', '/proc/self/cgroup'].map((file) => readFile(file, 'utf8').catch(() => '')),
  )
  return hierarchiesIn(mounts, groups)
}

async function opened(hierarchy: Hierarchy, name: string): Promise<Usable[]> {
  const { version } = hierarchy
  const own = version === 2 ? aboveLeaf(hierarchy.own) : hierarchy.own
  const controllers = hierarchy.controllers.filter((each) => ofUse.includes(each))
  if (version === 1 && controllers.length === 0) return []
  const root = join(own, name)
  try {
    await access(join(own, 'cgroup.procs'), constants.W_OK)
    await mkdir(root, { recursive: true })
    if (version === 1) return [await withStarting(weighed({ version, controllers, root }))]
    await access(join(root, 'cgroup.kill'), constants.W_OK) // a kernel older than 5.14 has none
    const delegated = await delegate(own)
    return [weighed({ version, root, controllers: (await enable(root, delegated)) ? delegated : [] })]
  } catch {
    return []
  }
}

function weighed(usable: Usable): Usable {
  const files = filesOfAll(usable.version, availableParallelism())
  write(
    usable.root,
    usable,
    files.map((file) => ({ ...file, optional: true })),
  )
  return usable
}

async function withStarting(usable: Usable): Promise<Usable> {
  if (!usable.controllers.includes('cpu')) return usable
  const starting = `${usable.root}-starting`
  await mkdir(starting, { recursive: true })
  write(starting, usable, filesOfStarting(availableParallelism()))
  return { ...usable, starting }
}

/** A controller counts in one hierarchy; which is tried first, version 2 or 1, is the machine's own order. */
function withoutDoubles(all: readonly Usable[]): readonly Usable[] {
  const seen = new Set<string>()
  return all.flatMap((each) => {
    const controllers = each.controllers.filter((name) => !seen.has(name))
    for (const name of controllers) seen.add(name)
    return controllers.length > 0 || each.version === 2 ? [{ ...each, controllers }] : []
  })
}

function cgroupsIn(all: readonly Usable[]): Cgroups {
  const v2 = all.find(({ version }) => version === 2)
  const held = new Map<GroupFile['controller'], 1 | 2>()
  for (const { controllers, version } of all) {
    for (const name of ['memory', 'cpu', 'pids'] as const) if (controllers.includes(name)) held.set(name, version)
  }
  const holding = (controller: string) => all.find(({ controllers }) => controllers.includes(controller))
  const adopted = new Map<RunnerId, string>()
  const groupIn = (root: string, id: RunnerId) => join(root, adopted.get(id) ?? id)
  const read = async (id: RunnerId, controller: string, file: string) => {
    const where = holding(controller)
    return where ? readFile(join(groupIn(where.root, id), file), 'utf8').catch(() => '') : ''
  }
  /** Where runners start, when that is elsewhere. */
  const apart = all.find(({ starting }) => starting !== undefined)
  const roots = all.flatMap(({ root, version, starting }) =>
    [root, ...(starting === undefined ? [] : [starting])].map((folder) => ({ root: folder, version })),
  )
  /** Those that start are from now on where those are that serve. */
  const stands = async (id: RunnerId) => {
    if (apart?.starting) await moveAll(groupIn(apart.starting, id), groupIn(apart.root, id))
  }

  return {
    held,
    make: async (id, limits) => {
      if (!adopted.has(id)) await Promise.all(roots.map(({ root }) => mkdir(join(root, id), { recursive: true })))
      for (const each of all) {
        write(groupIn(each.root, id), each, filesAtStart(each.version, limits))
        if (each.starting) write(groupIn(each.starting, id), each, filesAmongStarting(limits))
      }
    },
    adopt: (id, name) => void adopted.set(id, name),
    foldersOf: (id) => all.map(({ root }) => groupIn(root, id)),
    foldersAtStart: (id) => ({
      cpu: apart?.starting && groupIn(apart.starting, id),
      others: all.filter((each) => each !== apart).map(({ root }) => groupIn(root, id)),
    }),
    startsLong: async (id, limits) => {
      const cpu = holding('cpu')
      if (cpu) write(groupIn(cpu.root, id), cpu, filesOfLongStart(cpu.version, limits))
      await stands(id)
    },
    serves: async (id, limits) => {
      const cpu = holding('cpu')
      if (cpu) write(groupIn(cpu.root, id), cpu, filesOnceServing(cpu.version, limits))
      await stands(id)
    },
    ends: (id, limits) => {
      const cpu = holding('cpu')
      if (cpu) write(groupIn(cpu.root, id), cpu, filesOfEnd(cpu.version, limits))
    },
    memoryKills: async (id) => {
      const isV2 = held.get('memory') === 2
      const files = isV2
        ? ['memory.events']
        : ['memory.oom_control', 'memory.max_usage_in_bytes', 'memory.limit_in_bytes']
      const [counted, most, limit] = await Promise.all(files.map((file) => read(id, 'memory', file)))
      // Version 1 doesn't count its refusals in every kernel. Memory is charged in batches, which are smaller than this.
      const atLimit = isV2 ? numberIn(counted, 'max') > 0 : Number(most) + 2 ** 20 >= Number(limit)
      return { count: numberIn(counted, 'oom_kill'), atLimit }
    },
    usageOf: async (id) => {
      const [stat, nanoseconds, before, memory] = await Promise.all([
        v2 ? readFile(join(groupIn(v2.root, id), 'cpu.stat'), 'utf8').catch(() => '') : '',
        read(id, 'cpuacct', 'cpuacct.usage'),
        apart?.starting ? readFile(join(groupIn(apart.starting, id), 'cpuacct.usage'), 'utf8').catch(() => '') : '',
        read(id, 'memory', held.get('memory') === 2 ? 'memory.current' : 'memory.usage_in_bytes'),
      ])
      const seconds = stat ? numberIn(stat, 'usage_usec') / 1e6 : (Number(nanoseconds) + Number(before)) / 1e9
      return {
        ...(stat || nanoseconds ? { cpuSeconds: seconds } : {}),
        ...(memory ? { memoryBytes: Number(memory) } : {}),
      }
    },
    ...(v2 && { freeze: (id, yes) => writeFile(join(groupIn(v2.root, id), 'cgroup.freeze'), yes ? '1' : '0') }),
    kill: async (id) => {
      await stands(id) // to end is work too, and what it holds is wanted
      const whole = v2 && groupIn(v2.root, id)
      if (whole && (await isPopulated(whole, 2))) return writeFile(join(whole, 'cgroup.kill'), '1').catch(ignoreMissing)
      // Without version 2 all are in these; with it, who was on the way into the groups when the server was killed.
      for (const { root } of roots) for (const pid of await membersOf(groupIn(root, id))) sendSignal(pid, 'SIGKILL')
    },
    remove: async (id) => {
      await Promise.all(roots.map(({ root }) => removeGroup(groupIn(root, id))))
      adopted.delete(id)
    },
    tidy: async () => {
      for (const { root } of roots)
        await Promise.all((await groupsIn(root)).map((name) => removeGroup(join(root, name))))
    },
    isPopulated: async (id) =>
      (await Promise.all(roots.map((each) => isPopulated(groupIn(each.root, id), each.version)))).includes(true),
    populated: async () => {
      const found = await Promise.all(
        roots.map(async (each) => {
          const names = await groupsIn(each.root)
          const busy = await Promise.all(names.map((name) => isPopulated(join(each.root, name), each.version)))
          return names.filter((_, index) => busy[index])
        }),
      )
      const owners = new Map(Array.from(adopted, ([id, name]) => [name, id]))
      return [...new Set(found.flat().map((name) => owners.get(name) ?? name))]
    },
    close: async () => {
      for (const { root } of roots) {
        await Promise.all((await readdir(root).catch(() => [])).map((name) => removeGroup(join(root, name))))
        await removeGroup(root)
      }
    },
  }
}

async function groupsIn(root: string): Promise<readonly string[]> {
  const entries = await readdir(root, { withFileTypes: true }).catch(() => [])
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
}

async function isPopulated(group: string, version: 1 | 2): Promise<boolean> {
  if (version === 1) return (await membersOf(group)).length > 0
  return (await readFile(join(group, 'cgroup.events'), 'utf8').catch(() => '')).includes('populated 1')
}

/** Some µs for each file: to wait for a thread takes ten times as long. */
function write(folder: string, { controllers }: Usable, files: readonly GroupFile[]): void {
  for (const { controller, name, value, optional } of files) {
    if (!controllers.includes(controller)) continue
    try {
      writeFileSync(join(folder, name), value)
    } catch (error) {
      if (optional !== true) throw error
    }
  }
}

/** The number after this word, in a file with a word and a number in each line. */
function numberIn(text = '', word: string): number {
  return Number(new RegExp(`^${word} (\\d+)$`, 'm').exec(text ?? '')?.[1] ?? 0)
}

/** A group with a zombie in it is busy until somebody reaps that; it is empty, and the next start removes it. */
async function removeGroup(folder: string): Promise<void> {
  await rmdir(folder).catch(() => {}) // also for the files of a group, which are no folders
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT' && error.code !== 'ENODEV') throw error
}
