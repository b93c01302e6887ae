import { z } from 'zod'
import type { Decision } from '../../domain/decision.ts'
import type { AppId, RunnerId } from '../../domain/ids.ts'
import { runnerSentences, type RunnerRecord } from '../../domain/runner-story.ts'
import { runnerRecord } from '../../store/explanations.ts'
import { appNames } from '../../store/apps.ts'
import type { Deps } from '../deps.ts'
import { operation } from '../operation.ts'
import { unknownRunner } from '../runners/runners.ts'
import { keptDecisions } from './kept-decisions.ts'

/** Why a runner is there, or why it went. */
export interface RunnerExplained {
  /** `owner/name` */
  readonly app: string
  readonly runner: RunnerRecord
  readonly sentences: readonly string[]
}

/** The life of one of the caller's runners, also of one that ended long ago. */
export const explainRunner = operation(
  { permission: 'runners:read', input: z.object({ id: z.string().max(200) }) },
  async (deps, caller, { id }): Promise<RunnerExplained> => {
    const runner = await deps.store.read(runnerRecord(id))
    if (runner === undefined || runner.accountId !== caller.accountId) throw unknownRunner(id)
    const app = `${caller.nickname}/${await nameOf(deps, runner.appId)}`
    const decisions = (await keptDecisions(deps, runner.appId)).map(({ decision }) => decision)
    const startedBy = decisions.find((decision) => starts(decision, id))
    const endedBy = decisions.find((decision) => ends(decision, id))
    return { app, runner, sentences: runnerSentences({ app, runner, startedBy, endedBy }, deps.clock.now()) }
  },
)

/** Also of an app that was deleted. */
async function nameOf({ apps, store }: Pick<Deps, 'apps' | 'store'>, id: AppId): Promise<string> {
  return apps.byId(id)?.app.name ?? (await store.read(appNames([id]))).get(id) ?? ''
}

const starts = ({ steps }: Decision, id: RunnerId): boolean =>
  steps.some((step) => step.kind === 'start' && step.runners.includes(id))

const ends = ({ steps }: Decision, id: RunnerId): boolean =>
  steps.some((step) => (step.kind === 'drain' || step.kind === 'cancel') && step.runner === id)
