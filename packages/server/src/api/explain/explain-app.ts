import { z } from 'zod'
import type { Decision, KeptDecision } from '../../domain/decision.ts'
import { wireName } from '../../domain/names.ts'
import { ownApp, Which } from '../apps/queues.ts'
import { operation } from '../operation.ts'
import { keptDecisions } from './kept-decisions.ts'

/** Why an app has as many runners as it has. */
export interface AppExplained {
  /** `owner/name` */
  readonly app: string
  readonly now: Decision
  /** The last one first. */
  readonly kept: readonly KeptDecision[]
}

/** What would be decided now about the runners of one of the caller's apps, and its last decisions. */
export const explainApp = operation(
  { permission: 'apps:read', input: Which.extend({ last: z.number().int().min(0).max(50).default(10) }) },
  async (deps, caller, { last, ...which }): Promise<AppExplained> => {
    const app = ownApp(deps, caller, which)
    const { now } = deps.runners.decisions(app.id)
    return { app: wireName(app), now, kept: (await keptDecisions(deps, app.id)).slice(0, last) }
  },
)
