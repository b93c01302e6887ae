import type { Container } from 'dockerode'
import type { RunnerUsage } from '../../backend.ts'
import type { ContainerGroups } from './groups.ts'

interface Stats {
  readonly cpu_stats?: { readonly cpu_usage?: { readonly total_usage?: number } }
  readonly memory_stats?: { readonly usage?: number }
}

/** What a container uses: as its groups tell it, which costs nothing, else as the engine does. */
export async function usageOf(
  container: Container,
  groups: ContainerGroups | undefined,
): Promise<RunnerUsage | undefined> {
  const seen = await groups?.usage()
  if (seen !== undefined) return seen
  const { cpu_stats: cpu, memory_stats: memory } = (await container.stats({ stream: false, 'one-shot': true })) as Stats
  if (cpu?.cpu_usage?.total_usage === undefined || memory?.usage === undefined) return undefined
  return { cpuSeconds: cpu.cpu_usage.total_usage / 1e9, memoryBytes: memory.usage }
}
