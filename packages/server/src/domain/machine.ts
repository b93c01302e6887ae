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
