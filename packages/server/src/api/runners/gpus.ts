import { z } from 'zod'
import type { Hardware } from '../../domain/hardware.ts'
import type { RunnerView } from '../../domain/runner-view.ts'
import { operation } from '../operation.ts'

/** How many GPUs of each kind. */
export type GpuCounts = Readonly<Record<string, number>>

export interface GpuUsage {
  readonly total: GpuCounts
  /** By `owner/name`. */
  readonly apps: Readonly<Record<string, GpuCounts>>
}

/** The GPUs that the caller's runners hold now, all together and by app. */
export const gpuUsage = operation(
  { permission: 'metrics:read', input: z.object({}) },
  async (deps, { accountId, nickname }): Promise<GpuUsage> => {
    const holding = (await deps.runners.listing(accountId)).filter(({ state }) => !machineless.has(state))
    const byApp = Map.groupBy(holding, ({ appName }) => `${nickname}/${appName}`)
    const apps = Array.from(byApp, ([name, runners]) => [name, countsOf(runners, deps.hardware)] as const)
    return { total: countsOf(holding, deps.hardware), apps: Object.fromEntries(apps) }
  },
)

const machineless: ReadonlySet<RunnerView['state']> = new Set(['pending', 'crash_backoff', 'terminated'] as const)

function countsOf(runners: readonly RunnerView[], { types }: Hardware): GpuCounts {
  const counts = new Map<string, number>()
  for (const { placement } of runners) {
    const gpu = types.get(placement?.machineType ?? '')?.gpu
    if (placement && gpu !== undefined) counts.set(gpu, (counts.get(gpu) ?? 0) + placement.gpus.length)
  }
  return Object.fromEntries(counts)
}
