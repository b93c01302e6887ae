import type { Limits } from '../backends/backend.ts'
import type { Placement } from '../domain/placement.ts'

/** What a backend holds a runner to. */
export function limitsOf(placement: Placement | undefined): { readonly limits?: Limits } {
  if (placement === undefined) return {}
  const { cpus, memoryBytes, gpus, machineType } = placement
  return { limits: { cpus, memoryBytes, gpus, machineType } }
}

/**
 * Which GPUs CUDA shows it: those of its place, and none where that has none. CUDA counts in the order of the bus, as
 * `nvidia-smi` does; left to itself it counts the fastest first.
 */
export function gpuVariables(placement: Placement | undefined): Readonly<Record<string, string>> {
  if (placement === undefined) return {}
  return { CUDA_DEVICE_ORDER: 'PCI_BUS_ID', CUDA_VISIBLE_DEVICES: placement.gpus.join(',') }
}
