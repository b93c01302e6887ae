import type { MachineType } from './machine.ts'

const gib = 1024 ** 3

/** Name, cores, GiB, GPU model. */
type Row = readonly [name: string, cpus: number, memoryGiB: number, gpu?: string]

/** What apps may name without their operator having said anything (platform-behaviour.md §7). */
const rows: readonly Row[] = [
  ['XS', 0.5, 0.5],
  ['S', 1, 1],
  ['M', 2, 2],
  ['L', 4, 15],
  ['XL', 8, 30],
  ['GPU-A100', 12, 60, 'A100'],
  ['GPU-L40', 6, 100, 'L40'],
  ['GPU-H100', 12, 112, 'H100'],
  ['GPU-RTXPRO6000', 6, 100, 'RTX PRO 6000'],
  ['GPU-H200', 12, 112, 'H200'],
  ['GPU-B200', 19, 210, 'B200'],
  // Named in older examples, where what they had is not told: as the table has it, or small enough to fit.
  ['GPU-A6000', 10, 18, 'A6000'],
  ['GPU-A100-40G', 12, 60, 'A100-40GB'],
  ['GPU-A100-40GB', 12, 60, 'A100-40GB'],
  ['GPU-A100-80G', 12, 60, 'A100-80GB'],
  ['GPU-A100-80GB', 12, 60, 'A100-80GB'],
  ['GPU-T4', 4, 12, 'T4'],
  ['GPU', 4, 12, 'GPU'],
]

/** The machine types that every installation knows. */
export const builtInTypes: readonly MachineType[] = rows.map(([name, cpus, memoryGiB, gpu]) => {
  const sized = { name, cpus, memoryBytes: memoryGiB * gib }
  return gpu === undefined ? { ...sized, gpus: 0 } : { ...sized, gpu, gpus: 1 }
})
