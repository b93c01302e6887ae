import type { Limits } from '../../backend.ts'

/** A file of a control group, and what is written into it. */
export interface GroupFile {
  readonly controller: 'memory' | 'cpu' | 'pids'
  readonly name: string
  readonly value: string
  /** Not every kernel has it. */
  readonly optional?: true
}

export interface GroupLimits extends Partial<Pick<Limits, 'cpus' | 'memoryBytes'>> {
  /** Most processes and threads. */
  readonly tasks: number
  /** `false`: it may use more CPU than it has when nobody else wants it. */
  readonly hardCpu?: boolean
  /** Nothing starts in it yet: what it weighs is told when that is known. */
  readonly waits?: true
}

const periodUs = 100_000
const leastQuotaUs = 1_000
/**
 * A start takes what CPU is idle: others' callers wait for theirs, its own wait anyway. When that has lasted
 * (`standing-back.ts`) it takes this part of its own where others want it; so does a runner that ends.
 */
const asideShare = 1 / 8

/**
 * What a runner's group says from the start: how much it may hold, and how much it weighs when all want the CPU. Version 2
 * has one folder for all, in which a process stays, for its memory is counted where it was taken: there it stands back
 * behind other runners only.
 */
export function filesAtStart(version: 1 | 2, { cpus, memoryBytes, tasks, waits }: GroupLimits): readonly GroupFile[] {
  const memory = version === 1 ? memoryV1(memoryBytes) : memoryV2(memoryBytes)
  const files = [...memory, ...weighingLittle(version, cpus)]
  const back = version === 1 || waits ? [] : standingBack(true)
  return [...files, ...back, { controller: 'pids', name: 'pids.max', value: String(tasks) }]
}

/** What it says once it has stood back for long enough. A group that stands back has no weight of its own: that comes next. */
export function filesOfLongStart(version: 1 | 2, { cpus }: GroupLimits): readonly GroupFile[] {
  if (version === 1) return [] // its folder always says so
  return [...standingBack(false), ...weighingLittle(version, cpus)]
}

/** What it says once it serves: its whole weight, and where the bound is hard a quota, which would slow a start down. */
export function filesOnceServing(version: 1 | 2, { cpus, hardCpu = true }: GroupLimits): readonly GroupFile[] {
  const back = version === 1 ? [] : standingBack(false)
  if (cpus === undefined) return back
  const quota = Math.max(leastQuotaUs, Math.round(cpus * periodUs))
  return [...back, ...weighing(version, cpus), ...(hardCpu ? quotaOf(version, quota) : [])]
}

/** What it says once it was told to end: to end takes CPU, and nobody waits for it as callers wait for those that serve. */
export function filesOfEnd(version: 1 | 2, { cpus }: GroupLimits): readonly GroupFile[] {
  const files = [...(version === 1 ? [] : standingBack(false)), ...weighingLittle(version, cpus)]
  return files.map((file) => ({ ...file, optional: true })) // it ends all the same
}

/**
 * What the group of all that start says, beside that of all that serve (version 1, whose processes may go from one to the
 * other): it runs when nobody else wants to, and gives way at once. Kernels older than 5.15 only let it weigh little, and
 * newer ones refuse a weight where it stands back already, as after a restart.
 */
export function filesOfStarting(machineCpus: number): readonly GroupFile[] {
  const little = weighingLittle(1, machineCpus).map((file) => ({ ...file, optional: true as const }))
  return [...little, ...standingBack(true)]
}

/** Among all that start each weighs what it will weigh. */
export function filesAmongStarting({ cpus }: GroupLimits): readonly GroupFile[] {
  return weighing(1, cpus)
}

const standingBack = (yes: boolean): readonly GroupFile[] => [
  { controller: 'cpu', name: 'cpu.idle', value: yes ? '1' : '0', optional: true },
]

function quotaOf(version: 1 | 2, quota: number): readonly GroupFile[] {
  if (version === 2) return [{ controller: 'cpu', name: 'cpu.max', value: `${quota} ${periodUs}` }]
  return [
    { controller: 'cpu', name: 'cpu.cfs_period_us', value: String(periodUs) },
    { controller: 'cpu', name: 'cpu.cfs_quota_us', value: String(quota) },
  ]
}

/** All runners together weigh as much as they would if each CPU had one busy process of theirs. */
export function filesOfAll(version: 1 | 2, machineCpus: number): readonly GroupFile[] {
  return weighing(version, machineCpus)
}

function memoryV1(bytes: number | undefined): readonly GroupFile[] {
  if (bytes === undefined) return []
  return [
    { controller: 'memory', name: 'memory.limit_in_bytes', value: String(bytes) },
    { controller: 'memory', name: 'memory.memsw.limit_in_bytes', value: String(bytes), optional: true },
  ]
}

/** One that outgrows it ends whole: half an app would answer nobody. */
function memoryV2(bytes: number | undefined): readonly GroupFile[] {
  if (bytes === undefined) return []
  return [
    { controller: 'memory', name: 'memory.max', value: String(bytes) },
    { controller: 'memory', name: 'memory.swap.max', value: '0', optional: true },
    { controller: 'memory', name: 'memory.oom.group', value: '1', optional: true },
  ]
}

const weighing = (version: 1 | 2, cpus: number | undefined) => (version === 1 ? sharesOf(cpus) : weightOf(cpus))

const weighingLittle = (version: 1 | 2, cpus: number | undefined) =>
  weighing(version, cpus === undefined ? undefined : cpus * asideShare)

/** 1024 is what one process weighs. */
function sharesOf(cpus: number | undefined): readonly GroupFile[] {
  if (cpus === undefined) return []
  return [{ controller: 'cpu', name: 'cpu.shares', value: String(between(2, Math.round(cpus * 1_024), 262_144)) }]
}

/** 100 is what one process weighs. */
function weightOf(cpus: number | undefined): readonly GroupFile[] {
  if (cpus === undefined) return []
  return [{ controller: 'cpu', name: 'cpu.weight', value: String(between(1, Math.round(cpus * 100), 10_000)) }]
}

const between = (least: number, value: number, most: number) => Math.min(Math.max(least, value), most)
