import { z } from 'zod'
import { environmentsOfLiveRunners, namedByRows } from '../../store/blobs.ts'
import { operation } from '../operation.ts'
import type { Pruned } from './keeping.ts'

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
