import { setTimeout as rest } from 'node:timers/promises'
import type { RunnerBackend } from '../backends/backend.ts'
import { whyNotReached } from '../domain/late-start.ts'
import type { Identity } from '../domain/runner.ts'
import type { Change } from './fleet.ts'
import type { Memory } from './memory.ts'

export interface LateStartParts {
  readonly backend: Pick<RunnerBackend, 'listening'>
  readonly memory: Pick<Memory, 'revisionOf'>
  readonly say: (message: string, runner: Identity) => void
}

/** A pass waits for it. */
const patienceMs = 1_000

/** Whether a runner is about to be ended because it was not ready in time. */
export const isLateStart = ({ to }: Change): boolean => to.state === 'terminated' && to.reason === 'startup_timeout'

/** Says of runners that will be ended because they were not ready in time where they listen instead, while they still do. */
export async function tellOfLateStarts(changes: readonly Change[], parts: LateStartParts): Promise<void> {
  await Promise.all(changes.filter(isLateStart).map(({ to }) => tellOf(to, parts)))
}

async function tellOf(runner: Identity, { backend, memory, say }: LateStartParts): Promise<void> {
  const port = memory.revisionOf(runner.id)?.spec.exposedPort
  if (port === undefined) return
  const over = new AbortController()
  const late = rest(patienceMs, undefined, { signal: over.signal }).catch(() => undefined)
  const seen = backend.listening?.(runner.id).catch(() => undefined)
  const why = whyNotReached(port, await Promise.race([seen, late]))
  over.abort()
  if (why !== undefined) say(why, runner)
}
