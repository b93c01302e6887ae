import { gpusOfModel } from './gpu-model.ts'
import type { Machine, MachineType } from './machine.ts'
import type { Placement } from './placement.ts'

/** What runners can be placed on, and by which rules. */
export interface Hardware {
  readonly machines: readonly Machine[]
  /** By name. */
  readonly types: ReadonlyMap<string, MachineType>
  readonly rules: PlacementRules
}

/** What an operator decides about placing. */
export interface PlacementRules {
  /** How often a core, and a byte of memory, is given away: most runners idle most of the time. */
  readonly cpuOvercommit: number
  readonly memoryOvercommit: number
  readonly runnersPerMachine: number
  readonly runnersPerAccount: number
  readonly gpusPerAccount: number
  /** What becomes of an app that nothing here can ever run. */
  readonly unplaceable: 'refuse' | 'wait'
}

/** What one runner gets of a machine type. */
export interface Size {
  readonly machineType: string
  readonly cpus: number
  readonly memoryBytes: number
  readonly gpus: number
  readonly gpu?: string
}

/** Cores and memory grow with the number of GPUs. A type without GPUs stays as it is, whatever number an app says. */
function sizeOf({ name, cpus, memoryBytes, gpu, gpus }: MachineType, numGpus?: number): Size {
  if (gpu === undefined) return { machineType: name, cpus, memoryBytes, gpus: 0 }
  const count = numGpus === undefined || numGpus === 0 ? gpus : numGpus
  const share = count / gpus
  return { machineType: name, cpus: cpus * share, memoryBytes: Math.round(memoryBytes * share), gpus: count, gpu }
}

/** The sizes that a list stands for, in its order. A name that the catalogue no longer has stands for none. */
export function sizesOf(machineTypes: readonly string[], numGpus: number | undefined, { types }: Hardware): Size[] {
  return machineTypes.flatMap((name) => {
    const type = types.get(name)
    return type === undefined ? [] : [sizeOf(type, numGpus)]
  })
}

/** Machines that these regions allow; no region allows all. A machine whose region is `local` is in every one. */
export function machinesIn(regions: readonly string[], { machines }: Pick<Hardware, 'machines'>): readonly Machine[] {
  return regions.length === 0
    ? machines
    : machines.filter(({ region }) => region === 'local' || regions.includes(region))
}

/** Whether a machine that runs nothing could hold it. Nothing gets more memory than there is, however it is shared out. */
export function couldHold(machine: Machine, size: Size, { cpuOvercommit }: PlacementRules): boolean {
  const fits = size.memoryBytes <= machine.memoryBytes && size.cpus <= machine.cpus * cpuOvercommit
  return fits && (size.gpu === undefined || gpusOfModel(machine, size.gpu).length >= size.gpus)
}

/** The machine types that a runner can have here, with this number of GPUs where it is said. */
export function possibleTypes(hardware: Hardware, numGpus?: number): readonly MachineType[] {
  const { machines, types, rules } = hardware
  return [...types.values()].filter((type) =>
    machines.some((machine) => couldHold(machine, sizeOf(type, numGpus), rules)),
  )
}

/** Orders places by what they cost, the costliest first: by price, 0 where none is said, then by GPUs, memory and cores. */
export function costliestFirst(one: Cost, other: Cost): number {
  const byPrice = (other.pricePerSecond ?? 0) - (one.pricePerSecond ?? 0)
  return byPrice || other.gpus - one.gpus || other.memoryBytes - one.memoryBytes || other.cpus - one.cpus
}

/** What a place has and costs. */
export interface Cost {
  readonly gpus: number
  readonly memoryBytes: number
  readonly cpus: number
  readonly pricePerSecond?: number
}

/** What a place costs: its machine type's price grows with the number of GPUs. */
export function costOf({ machineType, gpus, memoryBytes, cpus }: Placement, { types }: Pick<Hardware, 'types'>): Cost {
  const type = types.get(machineType)
  const cost = { gpus: gpus.length, memoryBytes, cpus }
  if (type?.pricePerSecond === undefined) return cost
  return { ...cost, pricePerSecond: type.pricePerSecond * (type.gpus === 0 ? 1 : gpus.length / type.gpus) }
}
