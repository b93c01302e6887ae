/** Hardware as an app names it: what one runner of this type gets. */
export interface MachineType {
  readonly name: string
  /** Cores, of `gpus` GPUs where it has any; other counts scale it. */
  readonly cpus: number
  /** Scales as the cores do. */
  readonly memoryBytes: number
  /** The model as people call it, such as `H100`; `GPU` is any. Absent: it has none. */
  readonly gpu?: string
  /** GPUs of a runner whose app does not say `num_gpus`; 0 without a model. */
  readonly gpus: number
  /** Of one runner with `gpus` GPUs, in the operator's currency. Absent: the operator keeps no prices. */
  readonly pricePerSecond?: number
}

/** A GPU of a machine. */
export interface Gpu {
  /** As `nvidia-smi` counts, and CUDA in the order of the bus. */
  readonly index: number
  readonly uuid?: string
  /** As its driver says it: `NVIDIA H100 80GB HBM3`. */
  readonly name: string
  readonly memoryBytes?: number
}

/** Somewhere runners run, with all that it has. */
export interface Machine {
  readonly id: string
  /** A label, such as `eu-west`. `local` was given none, and counts as in every region. */
  readonly region: string
  readonly cpus: number
  readonly memoryBytes: number
  readonly gpus: readonly Gpu[]
}

/** Machine types are free words; those without a GPU are known by name, whatever else there may be has one. */
const withoutGpu: ReadonlySet<string> = new Set(['XS', 'S', 'M', 'L', 'XL'])

/** Names that people write differently from the machine type. */
const written: ReadonlyMap<string, string> = new Map([['RTXPRO6000', 'RTX PRO 6000']])

/** The GPU of a machine type such as `GPU-H100`, as its maker calls it; nothing when it has none. */
export function gpuOf(machineType: string): string | undefined {
  if (machineType === '' || withoutGpu.has(machineType)) return undefined
  const name = machineType.replace(/^GPU-/, '')
  return written.get(name) ?? name
}
