import type { Confinement, RunnerOutline, RunnerSpec } from '../../backend.ts'
import type { RunnerId } from '../../../domain/ids.ts'
import { tooMuchMemory } from '../../too-much.ts'
import type { Cgroups } from './cgroups.ts'
import { StartsBehind } from './starts-behind.ts'

/** The bounds of runners: made before they start, tightened once they serve, asked when they have ended. */
export interface Bounds {
  readonly confinement: readonly Confinement[]
  prepare(outline: RunnerOutline): Promise<void>
  /** It begins now. */
  begins(spec: RunnerSpec): void
  /** It serves from now on. */
  serves(spec: RunnerSpec): Promise<void>
  /** It was told to end, and gives way to those that serve. */
  ends(spec: RunnerSpec): void
  /** It is over, whatever it was before. */
  ended(id: RunnerId): void
  /** A sentence about the memory that a runner wanted, when the kernel ended a process of it for that. */
  whyOutOfMemory(spec: RunnerSpec): Promise<string | undefined>
}

export interface BoundsParts {
  readonly cgroups: Cgroups | undefined
  /** Whether runners begin by a program that can bound itself. */
  readonly launches: boolean
  readonly hardCpu: boolean
  readonly tasks: number
}

export function createBounds({ cgroups, launches, hardCpu, tasks }: BoundsParts): Bounds {
  const limitsOf = ({ limits }: RunnerOutline) => ({ tasks, hardCpu, ...limits })
  const starts = new StartsBehind({
    cpuSecondsOf: async (id) => (await cgroups?.usageOf(id))?.cpuSeconds,
    comeForward: async (spec) => cgroups?.startsLong(spec.id, limitsOf(spec)),
  })
  return {
    confinement: confinementOf(cgroups, launches),
    prepare: async (outline) => cgroups?.make(outline.id, limitsOf(outline)),
    begins: (spec) => {
      if (cgroups) starts.begin(spec)
    },
    serves: async (spec) => {
      await starts.over(spec.id)
      await cgroups?.serves(spec.id, limitsOf(spec))
    },
    ends: (spec) => cgroups?.ends(spec.id, limitsOf(spec)),
    ended: (id) => void starts.over(id),
    whyOutOfMemory: async (spec) => {
      const { count, atLimit } = (await cgroups?.memoryKills(spec.id)) ?? { count: 0, atLimit: false }
      return count === 0 ? undefined : tooMuchMemory(spec, atLimit)
    },
  }
}

const noGroups = 'the server may make no control groups with that controller below its own'

function confinementOf(cgroups: Cgroups | undefined, launches: boolean): readonly Confinement[] {
  const by = (controller: 'memory' | 'cpu' | 'pids') => {
    const version = cgroups?.held.get(controller)
    return version === undefined ? undefined : { by: `cgroup v${version}` }
  }
  const alone = launches
    ? { by: 'rlimit, for each process alone', why: noGroups }
    : { by: null, why: 'there is no python3 on this machine to begin them by' }
  return [
    { part: 'memory', ...(by('memory') ?? alone) },
    { part: 'cpu', ...(by('cpu') ?? { by: null, why: noGroups }) },
    { part: 'processes', ...(by('pids') ?? { by: null, why: noGroups }) },
  ]
}
