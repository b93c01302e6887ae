import type { KeptDecision } from '../../domain/decision.ts'
import type { AppId } from '../../domain/ids.ts'
import { decisionsBefore } from '../../store/decisions.ts'
import type { Deps } from '../deps.ts'

/** The last decisions about an app's runners, the last one first: those in memory, and before them those of former servers. */
export async function keptDecisions(
  { runners, store }: Pick<Deps, 'runners' | 'store'>,
  appId: AppId,
): Promise<readonly KeptDecision[]> {
  const { kept } = runners.decisions(appId)
  const before = kept.at(-1)?.firstAt ?? Number.MAX_SAFE_INTEGER
  return [...kept, ...(await store.read(decisionsBefore(appId, before)))]
}
