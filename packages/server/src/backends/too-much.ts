import type { RunnerSpec } from './backend.ts'

type Bounded = Pick<RunnerSpec, 'limits'>

/** What a runner's log says when the kernel ended it for its memory; `atLimit`: its own was used up, not the machine's. */
export function tooMuchMemory({ limits }: Bounded, atLimit: boolean): string {
  if (!limits || !atLimit) return 'The machine ran out of memory, and the kernel ended this runner, or a process of it.'
  const { memoryBytes, machineType } = limits
  return (
    `This runner needed more than the ${sizeOf(memoryBytes)} of memory that ${machineType === undefined ? 'it' : `its machine type ${machineType}`} has, ` +
    'and the kernel ended it, or a process of it. Choose a machine type with more memory, or hold less at a time.'
  )
}

/** What it says when a runner was ended because the kernel refused it another process or thread. */
export function tooManyTasks(most: number | undefined): string {
  const bound = most === undefined ? 'all the processes and threads that it may have' : `${most} processes and threads`
  return `This runner had ${bound} and wanted more, so it was ended: a program of it starts them without end, or does not wait for those that have ended.`
}

function sizeOf(bytes: number): string {
  const mebibytes = bytes / 2 ** 20
  return mebibytes < 1_024 ? `${Math.round(mebibytes)} MiB` : `${Number((mebibytes / 1_024).toFixed(1))} GiB`
}
