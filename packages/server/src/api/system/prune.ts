import { z } from 'zod'
import type { EnvironmentId } from '../../domain/ids.ts'
import type { Moment } from '../../kit/clock.ts'
import { environmentsOfLiveRunners, namedByRows } from '../../store/blobs.ts'
import { operation } from '../operation.ts'

/** Something, or some things of one kind, that nobody needs. */
export interface Pruned {
  readonly kind: 'environment' | 'image' | 'blob' | 'cache' | 'container'
  /** As its folder, the engine or the store calls it; of many, what they have in common. */
  readonly name: string
  readonly count: number
  /** On the disk; what is shared with something that stays is counted too. Undefined where that is not known. */
  readonly bytes?: number | undefined
}

export interface PruneHow {
  /** Tells what would go and takes nothing away. */
  readonly dryRun: boolean
  /** Caches too, which make later builds faster. */
  readonly all: boolean
  /** What was asked for, or made, since then stays. */
  readonly before: Moment
  /** Those that an undeleted revision names or a live runner uses: they stay. */
  readonly environments: ReadonlySet<EnvironmentId>
  /** Blobs that a row names, by what their keys begin with: they stay. */
  readonly blobsUnder: (prefix: string) => Promise<ReadonlySet<string>>
  readonly signal: AbortSignal
}

/** Whoever keeps things that may be needed no more. */
export type Prune = (how: PruneHow) => Promise<readonly Pruned[]>

const hourMs = 60 * 60_000
const dayMs = 24 * hourMs

/**
 * Takes away what no undeleted revision, no row and no runner needs. What is younger than a day (an hour with `all`) stays,
 * because a deploy builds first and names what it built afterwards.
 */
export const pruneSystem = operation(
  {
    permission: 'accounts:write',
    input: z.object({ dryRun: z.boolean().default(false), all: z.boolean().default(false) }),
  },
  async ({ prunes, store, clock }, _caller, { dryRun, all }, { signal }): Promise<readonly Pruned[]> => {
    const { environments: named, blobsUnder } = await namedByRows(store)
    const used = await store.read(environmentsOfLiveRunners())
    const environments = new Set([...named, ...used])
    const before = clock.now() - (all ? hourMs : dayMs)
    const found: Pruned[] = []
    for (const prune of prunes) found.push(...(await prune({ dryRun, all, before, environments, blobsUnder, signal })))
    return found
  },
  {
    action: 'prune_system',
    about: ({ dryRun, all }, pruned = []) => ({ subject: 'system', dryRun, all, things: sum(pruned) }),
  },
)

const sum = (pruned: readonly Pruned[]) => pruned.reduce((total, { count }) => total + count, 0)
