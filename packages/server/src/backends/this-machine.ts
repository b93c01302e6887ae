import { availableParallelism, hostname, totalmem } from 'node:os'
import type { GpusAsked } from '../domain/gpus-asked.ts'
import type { Gpu, Machine } from '../domain/machine.ts'
import { askNvidiaSmi, type GpuReport } from './nvidia-smi.ts'

/** What the operator says of this machine. */
export interface MachineAsked {
  readonly region: string
  /** 0: what this process may use. */
  readonly cpus: number
  readonly memoryBytes: number
  readonly gpus: GpusAsked
}

export interface Discovered {
  readonly machine: Machine
  /** What the operator should know, as sentences. */
  readonly warnings: readonly string[]
}

/** What runners can have of this machine. `ask` is only called when the operator did not say which GPUs there are. */
export async function discover(
  { region, cpus, memoryBytes, gpus: asked }: MachineAsked,
  ask: () => Promise<GpuReport> = askNvidiaSmi,
): Promise<Discovered> {
  const { gpus, warnings } = asked.kind === 'named' ? { gpus: asked.names.map(gpuNamed), warnings: [] } : await asking()
  return {
    machine: {
      id: hostname(),
      region,
      cpus: cpus === 0 ? availableParallelism() : cpus,
      memoryBytes: memoryBytes === 0 ? usableMemory() : memoryBytes,
      gpus,
    },
    warnings,
  }

  async function asking() {
    const { gpus: all, trouble } = await ask()
    const indices = asked.kind === 'discovered' ? asked.indices : undefined
    const there = new Set(all.map(({ index }) => index))
    const missing = [...(indices ?? [])].filter((index) => !there.has(index))
    return {
      gpus: indices === undefined ? all : all.filter(({ index }) => indices.has(index)),
      warnings: [
        ...(trouble === undefined ? [] : [`GPUs may be missing: ${trouble}`]),
        ...(missing.length === 0 ? [] : [`CARRICK_GPUS names ${missing.join(', ')}, but nvidia-smi knows no such GPU`]),
      ],
    }
  }
}

const gpuNamed = (name: string, index: number): Gpu => ({ index, name })

/** What the machine has, or what its control group leaves this server and its runners. */
function usableMemory(): number {
  const limit = process.constrainedMemory()
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem()
}
