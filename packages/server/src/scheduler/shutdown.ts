import { setTimeout as rest } from 'node:timers/promises'
import type { RunnerBackend } from '../backends/backend.ts'
import { drain, terminate, type LiveRunner, type Runner } from '../domain/runner.ts'
import type { Clock } from '../kit/clock.ts'
import type { Logger } from '../kit/logger.ts'
import { Draft } from './draft.ts'
import type { Fleet } from './fleet.ts'
import { fold } from './fold.ts'
import type { Hands } from './hands.ts'

export interface ShutdownParts {
  readonly fleet: Fleet
  readonly hands: Hands
  readonly backend: RunnerBackend
  readonly clock: Clock
  readonly log: Logger
}

const lookEveryMs = 20
const killPatienceMs = 10_000

/** Asks every runner to finish; what still runs after `graceMs` is killed. All that can be is on record when it returns. */
export async function endAllRunners(parts: ShutdownParts, graceMs: number): Promise<void> {
  const { fleet, hands, clock } = parts
  const draft = new Draft(fleet)
  for (const runner of fleet.all()) draft.put(sentAway(runner, clock))
  await store(draft, parts)
  await allGone(parts, graceMs)
  for (const { id } of fleet.all()) hands.kill(id)
  await allGone(parts, killPatienceMs)
  await hands.idle()
}

function sentAway(runner: LiveRunner, clock: Clock): Runner {
  if (runner.state === 'draining') return runner
  return runner.state === 'serving'
    ? drain(runner, 'shutdown', clock.now())
    : terminate(runner, 'shutdown', clock.now())
}

/** Watches until no runner is left, or the time is over. */
async function allGone(parts: ShutdownParts, withinMs: number): Promise<void> {
  const { fleet, backend, clock } = parts
  const over = AbortSignal.timeout(withinMs)
  while (fleet.size > 0 && !over.aborted) {
    const draft = new Draft(fleet)
    const listed = await backend.list(AbortSignal.timeout(killPatienceMs))
    fold(fleet, { listed, refused: new Set() }, draft, clock.now())
    await store(draft, parts)
    if (fleet.size > 0) await rest(lookEveryMs, undefined, { signal: over }).catch(() => {}) // the loop sees that it is over
  }
}

/** What cannot be stored now is settled at the next start; the runners end all the same. */
async function store(draft: Draft, { fleet, hands, clock, log }: ShutdownParts): Promise<void> {
  const changes = draft.changes()
  const { failure } = await fleet.commit(changes, clock.now())
  for (const change of changes) hands.take(change)
  if (failure !== undefined) log.error({ err: failure }, 'the end of some runners could not be put on record')
}
