import type { ContainerCreateOptions } from 'dockerode'
import type { Limits, RunnerSpec } from '../backend.ts'
import type { EngineFacts } from './engine.ts'

/** What is true of a runner's container whatever runs in it. */
export interface ContainerPlace {
  /** Of the machine, the runner's own: it may write to it. */
  readonly work: string
  /** Where its server listens, in the container. */
  readonly port: number
  /** Whether what runs needs somebody to reap what it leaves. */
  readonly init: boolean
  readonly facts: EngineFacts
}

/** How a runner's container is bounded and apart: all of its configuration but what runs in it. */
export async function surroundingsOf(
  spec: RunnerSpec,
  { work, port, init }: ContainerPlace,
): Promise<Pick<ContainerCreateOptions, 'HostConfig' | 'NetworkingConfig' | 'User'>> {
  return {
    HostConfig: {
      Init: init,
      LogConfig: { Type: 'none', Config: {} }, // we read all that it says, and nobody keeps it twice
      Mounts: mountsOf(spec, work),
      PortBindings: { [`${port}/tcp`]: [{ HostIp: '127.0.0.1', HostPort: '' }] },
      ...boundsOf(spec.limits),
    },
  }
}

function mountsOf({ mounts, sees = [], leaves = [] }: RunnerSpec, work: string) {
  const own = [...sees.map((path) => [path, true] as const), ...[work, ...leaves].map((path) => [path, false] as const)]
  const all = [...own.map(([path, readOnly]) => ({ from: path, to: path, readOnly })), ...mounts]
  return all.map(({ from, to, readOnly }) => ({
    Type: 'bind' as const,
    Source: from,
    Target: to,
    ReadOnly: readOnly,
  }))
}

const mostTasks = 8_192

function boundsOf(limits: Limits | undefined) {
  if (limits === undefined) return { PidsLimit: mostTasks }
  const { memoryBytes, cpus } = limits
  return { PidsLimit: mostTasks, Memory: memoryBytes, MemorySwap: memoryBytes, NanoCpus: Math.round(cpus * 1e9) }
}
